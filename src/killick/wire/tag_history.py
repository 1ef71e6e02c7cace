"""The tag history of the `_oci` extension, in the shape of its draft of July 2026.

The one place that knows this shape: the draft has changed before. An answer is an image index,
newest first, whose descriptors say what happened, and when, in two annotations. A creation
describes the manifest that the tag was given, a deletion the one that it had until then. (The draft
of May 2026 had a bare array, and another annotation for each kind of event.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import Any, Final, Literal, TypeVar

from killick.errors import ContentError
from killick.manifest import OCI_INDEX, Descriptor
from killick.moments import rfc3339
from killick.names import Tag
from killick.repository import Cause, Move

TIMESTAMP: Final = "org.opencontainers.distribution.tag.timestamp"
EVENT: Final = "org.opencontainers.distribution.tag.event"

What = Literal["created", "deleted"]
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Event:
    """A tag was given the manifest `descriptor`, or deleted while it pointed there."""

    what: What
    time: datetime
    descriptor: Descriptor
    sequence: int = 0


def events(moves: Iterable[Move]) -> Iterator[Event]:
    """Yield what the moves of one tag (newest first, to the last) amount to."""
    for move, older in _with_older(moves):
        if move.to is not None:
            yield Event("created", move.time, move.to, move.sequence)
        elif older is not None and older.to is not None:
            yield Event("deleted", move.time, older.to, move.sequence)


def to_json(page: Iterable[Event]) -> dict[str, Any]:
    """Return the index that tells of these events."""
    listed = [
        replace(
            event.descriptor.plain(),
            annotations={TIMESTAMP: rfc3339(event.time), EVENT: event.what},
        ).to_json()
        for event in page
    ]
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}


def from_json(page: dict[str, Any]) -> Iterator[Event]:
    """Yield the events in an index.

    Raises:
        ContentError: it is none, or has an entry that is no event.
    """
    listed = page.get("manifests")
    if not isinstance(listed, list):
        raise ContentError("the tag history is no index", side="remote")
    for value in listed:
        d = Descriptor.from_json(value, "an entry of the tag history")
        what = d.annotations.get(EVENT)
        if what not in ("created", "deleted"):
            raise ContentError("an entry of the tag history has no event", side="remote")
        kind: What = "created" if what == "created" else "deleted"
        yield Event(kind, _time(d.annotations.get(TIMESTAMP, "")), d.plain())


def moves(told: Iterable[Event], repository: str, tag: Tag, origin: str) -> Iterator[Move]:
    """Yield the moves that the events (newest first) amount to, as far as they tell.

    Nobody says who did it, which is an empty actor, nor how: a tag that was given something counts
    as pushed. Sequences count down from zero.
    """
    for number, (event, older) in enumerate(_with_older(told)):
        before: Event | None
        if event.what == "deleted":
            cause, to, before = Cause("deleted", "", origin), None, event
        else:
            cause, to = Cause("pushed", "", origin), event.descriptor
            before = older if older is not None and older.what == "created" else None
        previous = before.descriptor.digest if before is not None else None
        yield Move(-number, event.time, repository, tag, to, previous, cause)


def _with_older(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Entry | None]]:
    """Yield each entry with the one after it, which is older; the last one with None."""
    return pairwise(chain(entries, (None,)))  # type: ignore[arg-type]  # only the last is None


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ContentError("an entry of the tag history has no time", side="remote")
    return moment.astimezone(UTC)
