"""Conditional requests (RFC 9110, 13): the ETag of content is its digest."""

from __future__ import annotations

from killick.digest import Digest
from killick.errors import Conflict
from killick.repository import ANYTHING, Expected
from killick.server.calls import Call


def matches(header: str, current: Digest | None) -> bool:
    """Return whether a list of ETags (or `*`) names `current`; nothing names nothing."""
    if current is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return header.strip() == "*" or str(current) in tags


def is_fresh(call: Call, current: Digest) -> bool:
    """Return whether the caller has this content already (304)."""
    header = call.header("if-none-match")
    return header is not None and matches(header, current)


def is_conditional(call: Call) -> bool:
    """Return whether a change depends on what stands."""
    return call.header("if-match") is not None or call.header("if-none-match") is not None


def expected(call: Call, current: Digest | None, item: str | None = None) -> Expected:
    """Return what a name must still point to when it is moved, given what it points to now.

    The name is the `item` that is called, unless another is given.

    Raises:
        Conflict: what stands is not what the caller wants to replace.
    """
    if not is_conditional(call):
        return ANYTHING
    if_match, if_none_match = call.header("if-match"), call.header("if-none-match")
    wanted = if_match is None or matches(if_match, current)
    if not wanted or (if_none_match is not None and matches(if_none_match, current)):
        raise Conflict(
            f"{call.name}:{item or call.item} points to {current or 'nothing'}",
            current=str(current) if current else None,
        )
    return current
