"""Bodies of requests: gathered, so that no thread is held while a slow caller sends.

What was gathered is worked on in a thread while the next comes in (`Behind`): a fast caller is
waited for no longer than the slower of the two takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Self

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from killick.bounds import bound
from killick.errors import LimitExceeded
from killick.server.calls import Call, Limits
from killick.server.drain import Drain
from killick.server.responses import Refused

GATHER = 1024 * 1024
"""Bytes a hop to a thread: a hop takes 0.12 ms, hashing and writing 1 MiB 0.85 ms."""
LEAST = 64 * 1024
TOGETHER = bound(64 * 1024 * 1024, "bytes", "bodies that are gathered at once by a worker")


_FEW = 16
"""Pieces that are worked on one by one; more are put together, which is a copy."""


async def gathered(call: Call, most: int) -> AsyncGenerator[list[bytes], None]:
    """Yield the body in pieces as they came, so many at once that they are about 1 MiB.

    What came before a failure is yielded first.

    Raises:
        LimitExceeded: it has more than `most` bytes.
        Refused: (408) nothing came for too long, or too slowly; (503) the server stops.
        ClientDisconnect: the caller went away before the end.
    """
    stated = content_length(call)
    if stated is not None and stated > most:
        raise _too_long(most)
    pieces: list[bytes] = []
    size, seen, more = 0, 0, True
    failure: Exception | None = None
    drain, pace = call.site.operations.drain, Pace(call.site.limits)
    while more:
        began = time.monotonic()
        with drain.waiting(pace.patience()) as scope:
            message = await call.request.receive()
        if scope.cancelled_caught:
            failure = _cut(drain)
            break
        if message["type"] == "http.disconnect":
            failure = ClientDisconnect()
            break
        piece: bytes = message.get("body", b"")
        pace.took(len(piece), time.monotonic() - began)
        more = message.get("more_body", False)
        size += len(piece)
        if seen + size > most:
            raise _too_long(most)
        if piece:
            pieces.append(piece)
        if size >= _share(drain):
            yield _few(pieces)
            seen, size, pieces = seen + size, 0, []
    if pieces:
        yield _few(pieces)
    if failure is not None:
        raise failure


def _share(drain: Drain) -> int:
    """Return how many bytes of one body are gathered: less of each when many are under way."""
    return max(LEAST, min(GATHER, TOGETHER // (drain.bodies + 1)))


def _few(pieces: list[bytes]) -> list[bytes]:
    return pieces if len(pieces) <= _FEW else [b"".join(pieces)]


class Behind:
    """Work that goes on in a thread behind its giver's back, one piece at a time.

    An async context manager: at its end all work was done.
    """

    def __init__(self) -> None:
        self._work: asyncio.Future[None] | None = None

    async def do(self, work: Callable[..., None], *given: object) -> None:
        """Begin to work, as soon as the work before is done.

        Raises:
            Exception: what the work before raised.
        """
        await self._done()
        self._work = asyncio.ensure_future(run_in_threadpool(work, *given))

    async def _done(self) -> None:
        before, self._work = self._work, None
        if before is not None:
            with CancelScope(shield=True):  # a thread can't be stopped half-way
                await before

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._done()


class Pace:
    """How fast a body comes: how long to wait for the next piece of it.

    In every `idle` seconds that are spent with waiting, so many bytes must come as `rate` asks for,
    and one at least. What the server itself takes is not the caller's fault, and not counted.
    """

    def __init__(self, limits: Limits) -> None:
        self._idle = limits.idle
        self._least = limits.rate * limits.idle
        self._waited = 0.0
        self._bytes = 0

    def took(self, size: int, seconds: float) -> None:
        """Note that so many bytes came after so many seconds of waiting."""
        self._waited += seconds
        self._bytes += size
        if self._bytes >= self._least:
            self._waited, self._bytes = 0.0, 0

    def patience(self) -> float:
        """Return the seconds that the next piece may take to come; it is too late after that."""
        return max(0.0, self._idle - self._waited)


def _cut(drain: Drain) -> Refused:
    close = {"Connection": "close"}
    if drain.is_cutting:
        message = "the registry stops, and has kept what came; go on when it is back"
        return Refused("UNAVAILABLE", message, status=503, headers=close | {"Retry-After": "5"})
    return Refused("UNAVAILABLE", "the body did not go on", status=408, headers=close)


async def whole(call: Call, most: int) -> bytes:
    """Return the whole body. Raises as `gathered` does."""
    async with aclosing(gathered(call, most)) as batches:
        return b"".join([piece async for pieces in batches for piece in pieces])


def content_length(call: Call) -> int | None:
    """Return how long the body will be, if the caller says it."""
    stated = call.header("content-length")
    return int(stated) if stated and stated.isascii() and stated.isdigit() else None


def _too_long(most: int) -> LimitExceeded:
    return LimitExceeded(f"the body has more than the {most} bytes that are allowed")
