"""Byte ranges: `Range` and `Content-Range` of downloads (RFC 9110, 14) and of uploads (OCI).

Everything is read in one pass over headers of any length; numbers have at most 18 digits.
"""

from __future__ import annotations

from typing import NamedTuple

_MOST_DIGITS = 18


class ContentRange(NamedTuple):
    """The bytes from `start` up to, but without, `stop`, of `size` in all (None: not said)."""

    start: int
    stop: int
    size: int | None


def requested(header: str | None, size: int) -> range | None:
    """Return the positions that a `Range` header asks for, of content of `size` bytes.

    None means the whole: there is no header, it is none that can be understood, or it asks for
    several ranges (a server may answer all three so). An empty range can't be satisfied (416);
    one that runs backwards counts as such, which a server may do (RFC 9110, 14.2).
    """
    unit, equals, text = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes" or "," in text:
        return None
    head, dash, tail = (part.strip() for part in text.partition("-"))
    first, last = _number(head), _number(tail)
    if not dash or (head and first is None) or (tail and last is None):
        return None
    if first is None:
        return None if last is None else range(max(size - last, 0), size)
    if last is not None and last < first:
        return range(0)
    return range(first, size if last is None else min(last + 1, size))


def content_range(part: range, size: int) -> str:
    """Return the `Content-Range` of an answer with `part`; an empty one is the form of a 416."""
    return f"bytes {part.start}-{part.stop - 1}/{size}" if part else f"bytes */{size}"


def parse_content_range(header: str) -> ContentRange | None:
    """Return what a `Content-Range` says, or None if it is none.

    Accepted are `bytes 0-9/10`, `bytes 0-9/*`, and the `0-9` of the OCI upload.
    """
    unit, space, rest = header.strip().partition(" ")
    if space and unit.lower() != "bytes":
        return None
    span, slash, total = (rest if space else unit).strip().partition("/")
    head, dash, tail = span.partition("-")
    first, last, size = _number(head), _number(tail), _number(total)
    if not dash or first is None or last is None or last < first:
        return None
    if slash and total != "*" and (size is None or size <= last):
        return None
    return ContentRange(first, last + 1, size)


def held(size: int) -> str:
    """Return the `Range` of an upload that holds `size` bytes (docker has `0-0` for none)."""
    return f"0-{max(size - 1, 0)}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
