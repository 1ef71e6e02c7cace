"""Bodies of requests: gathered, so that no thread is held while a slow caller sends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from starlette.requests import ClientDisconnect

from killick.errors import LimitExceeded
from killick.server.calls import Call
from killick.server.responses import Refused

GATHER = 1024 * 1024
"""Bytes a hop to a thread: a hop takes 0.12 ms, hashing and writing 1 MiB 0.85 ms."""


async def gathered(call: Call, most: int) -> AsyncGenerator[bytearray, None]:
    """Yield the body in pieces of about 1 MiB. What came before a failure is yielded first.

    Raises:
        LimitExceeded: it has more than `most` bytes.
        Refused: (408) nothing came for too long.
        ClientDisconnect: the caller went away before the end.
    """
    stated = content_length(call)
    if stated is not None and stated > most:
        raise _too_long(most)
    piece, seen, more = bytearray(), 0, True
    failure: Exception | None = None
    while more:
        try:
            with anyio.fail_after(call.site.limits.idle):
                message = await call.request.receive()
        except TimeoutError:
            failure = Refused(
                "UNAVAILABLE", "the body did not go on", status=408, headers={"Connection": "close"}
            )
            break
        if message["type"] == "http.disconnect":
            failure = ClientDisconnect()
            break
        piece += message.get("body", b"")
        more = message.get("more_body", False)
        if seen + len(piece) > most:
            raise _too_long(most)
        if len(piece) >= GATHER:
            yield piece
            seen += len(piece)
            piece = bytearray()
    if piece:
        yield piece
    if failure is not None:
        raise failure


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
