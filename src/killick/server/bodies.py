"""Bodies of requests: gathered, so that no thread is held while a slow caller sends."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

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


async def gathered(call: Call, most: int) -> AsyncGenerator[bytearray, None]:
    """Yield the body in pieces of about 1 MiB. What came before a failure is yielded first.

    Raises:
        LimitExceeded: it has more than `most` bytes.
        Refused: (408) nothing came for too long, or too slowly; (503) the server stops.
        ClientDisconnect: the caller went away before the end.
    """
    stated = content_length(call)
    if stated is not None and stated > most:
        raise _too_long(most)
    piece, seen, more = bytearray(), 0, True
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
        piece += message.get("body", b"")
        pace.took(len(message.get("body", b"")), time.monotonic() - began)
        more = message.get("more_body", False)
        if seen + len(piece) > most:
            raise _too_long(most)
        if len(piece) >= _share(drain):
            yield piece
            seen += len(piece)
            piece = bytearray()
    if piece:
        yield piece
    if failure is not None:
        raise failure


def _share(drain: Drain) -> int:
    """Return how many bytes of one body are gathered: less of each when many are under way."""
    return max(LEAST, min(GATHER, TOGETHER // (drain.bodies + 1)))


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
    async with aclosing(gathered(call, most)) as pieces:
        return b"".join([piece async for piece in pieces])


def content_length(call: Call) -> int | None:
    """Return how long the body will be, if the caller says it."""
    stated = call.header("content-length")
    return int(stated) if stated and stated.isascii() and stated.isdigit() else None


def _too_long(most: int) -> LimitExceeded:
    return LimitExceeded(f"the body has more than the {most} bytes that are allowed")
