"""Moves as rows of the table `move`."""

from __future__ import annotations

from typing import Any

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import Cause, Move
from killick.store.context import from_stamp, to_stamp

COLUMNS = (
    "sequence, time, tag, digest, media_type, size, previous, kind, actor, origin, authoritative,"
    " overriding"
)


def to_move(repository: str, row: tuple[Any, ...]) -> Move:
    """Return the entry in a row of `COLUMNS`."""
    sequence, time, tag, digest, media_type, size, previous, *how = row
    kind, actor, origin, own, overriding = how
    return Move(
        sequence,
        from_stamp(time),
        repository,
        Tag(tag),
        Descriptor(media_type, Digest.parse(digest), size) if digest else None,
        Digest.parse(previous) if previous else None,
        Cause(kind, actor, origin, bool(own), bool(overriding)),
    )


def to_row(made: Move) -> tuple[object, ...]:
    """Return the row of `COLUMNS` for an entry."""
    to, cause = made.to, made.cause
    return (
        made.sequence,
        to_stamp(made.time),
        made.tag,
        str(to.digest) if to else None,
        to.media_type if to else None,
        to.size if to else None,
        str(made.previous) if made.previous else None,
        cause.kind,
        cause.actor,
        cause.origin,
        int(cause.authoritative),
        int(cause.overriding),
    )
