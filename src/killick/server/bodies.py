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

from anyio import CancelScope, current_time
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Message

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
    body = _Coming(call, most)
    while not body.is_over:
        pieces = await body.next()
        if pieces:
            yield _few(pieces)
        del pieces  # or a caller who stands still would hold what was written long ago
    if body.failure is not None:
        raise body.failure


class _Coming:
    """A body on its way: how much of it may still come, and how it ended."""

    def __init__(self, call: Call, most: int) -> None:
        self.is_over = False
        self.failure: Exception | None = None
        self._receive = call.request.receive
        self._drain = call.site.operations.drain
        self._pace = Pace(call.site.limits)
        self._most = self._left = most

    async def next(self) -> list[bytes]:
        """Wait for the next pieces, about 1 MiB of them; fewer, or none, when it is over.

        They share one timer: a timer of its own would cost a piece more than all else here.
        """
        pieces: list[bytes] = []
        pace, wanted = self._pace, _share(self._drain)
        pace.begin()
        with self._drain.waiting(pace.patience) as scope:
            while wanted > 0 and not self.is_over:
                piece = self._piece(await self._receive())
                if piece:
                    pieces.append(piece)
                    wanted -= len(piece)
                    if pace.took(len(piece)):
                        scope.deadline = current_time() + pace.patience
        pace.end()
        if scope.cancelled_caught:
            self.is_over, self.failure = True, _cut(self._drain)
        return pieces

    def _piece(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self.is_over, self.failure = True, ClientDisconnect()
            return b""
        piece: bytes = message.get("body", b"")
        self._left -= len(piece)
        if self._left < 0:
            raise _too_long(self._most)
        self.is_over = not message.get("more_body", False)
        return piece


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
    """How fast a body comes: how long to wait for more of it.

    In every `idle` seconds that are spent with waiting, so many bytes must come as `rate` asks for,
    and one at least. What the server itself takes is not the caller's fault, and not counted: it is
    waited from `begin` to `end`.
    """

    def __init__(self, limits: Limits) -> None:
        self._idle = limits.idle
        self._least = limits.rate * limits.idle
        self._bytes = 0
        self._began = 0.0
        self.patience: float = limits.idle
        """The seconds from now that more may take to come; it is too late after that."""

    def begin(self) -> None:
        """Begin to wait."""
        self._began = time.monotonic()

    def took(self, size: int) -> bool:
        """Note that so many bytes came; return whether the time to wait begins anew with them."""
        self._bytes += size
        if self._bytes < self._least:
            return False
        self._bytes, self.patience = 0, self._idle
        self.begin()
        return True

    def end(self) -> None:
        """Wait no more, for now."""
        self.patience = max(0.0, self.patience - (time.monotonic() - self._began))


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
