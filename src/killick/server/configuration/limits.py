"""`[limits]`: how much callers may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from killick.manifest import MOST_DOCUMENT_BYTES
from killick.server.configuration.table import Bounds, setting
from killick.server.configuration.values import Size

_KIB = 1024


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much callers may take."""

    blob: Size = setting(Size(2**40), help="the largest blob", bounds=Bounds(1))
    manifest: Size = setting(
        Size(MOST_DOCUMENT_BYTES),
        help="the largest manifest",
        bounds=Bounds(64 * _KIB, MOST_DOCUMENT_BYTES),
    )
    page: int = setting(
        10_000,
        help="the most entries in a page of a list",
        bounds=Bounds(1, 10**6),
        unit="entries",
    )
    chunk: Size = setting(
        Size(0), help="how long pieces of uploads had better be (0: any length is as good)"
    )
    uploads: int = setting(
        10_000,
        help="upload sessions that are open at once",
        bounds=Bounds(1, 10**6),
        unit="uploads",
    )
    expiry: timedelta = setting(
        timedelta(days=7),
        help="how long an upload that nobody goes on with is kept",
        bounds=Bounds(timedelta(minutes=1)),
    )
    idle: timedelta = setting(
        timedelta(seconds=60),
        help="the longest pause between two pieces of a request's body",
        bounds=Bounds(timedelta(milliseconds=100), timedelta(hours=1)),
    )
    rate: Size = setting(
        Size(_KIB), help="the least bytes a second of a body, over `limits.idle` (0: any)"
    )
    headers: timedelta = setting(
        timedelta(seconds=30),
        help="the longest time to send a request's headers, or to begin the next request",
        bounds=Bounds(timedelta(seconds=1), timedelta(hours=1)),
    )
    connections: int = setting(
        4096,
        help="connections of one worker at once",
        bounds=Bounds(16, 10**6),
        unit="connections",
    )
    buffer: Size = setting(
        Size(1024 * _KIB),
        help="what is read ahead of a connection; the headers of a request must fit in",
        bounds=Bounds(32 * _KIB, 4096 * _KIB),
    )
    threads: int = setting(
        32,
        help="calls of one worker that touch the storage at once",
        bounds=Bounds(1, 1024),
        unit="calls",
    )
