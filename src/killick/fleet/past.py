"""What a tag pointed to: three records joined into one list, newest first.

The registry's own history decides, where it keeps one. What was observed from here is true as well,
as far as it goes: the tag did point there then, and between two looks it may have been elsewhere.
What local names pointed to is told beside them; it says nothing about the registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from killick.digest import Digest
from killick.names import Name, Tag
from killick.repository import LOCAL, Move

Source = Literal["registry", "observed", "local", "container"]


@dataclass(frozen=True, slots=True)
class Held:
    """A digest that the tag had: since when and until when (None: it still has it, or unknown).

    `back` counts the distinct digests that the tag had after it: 0 is what it points to. It is None
    for what only a local name pointed to.
    """

    digest: Digest
    since: datetime | None
    until: datetime | None
    source: Source
    back: int | None


@dataclass(frozen=True, slots=True)
class Past:
    """The digests of one tag, newest first. `told` says that the registry itself told them."""

    name: Name
    tag: Tag | None
    held: tuple[Held, ...] = ()
    told: bool = False

    @property
    def present(self) -> Digest | None:
        """What the tag points to; None where it does not exist, or nothing is known."""
        return next((held.digest for held in self.held if held.back == 0), None)

    @property
    def series(self) -> tuple[Held, ...]:
        """What the registry's tag had, without what only local names had."""
        return tuple(held for held in self.held if held.back is not None)

    def find(self, digest: Digest) -> Held | None:
        """Return the entry of a digest."""
        return next((held for held in self.held if held.digest == digest), None)


@dataclass(frozen=True, slots=True)
class Records:
    """The moves of one tag, each record newest first.

    `told` is what the registry tells itself, just now; None where it keeps no history, or was not
    asked. `seen` is what is kept here of the registry's tag: observed, or told at an earlier time.
    `gone` says that the registry just said that it has no such tag (any more).
    """

    told: Sequence[Move] | None
    seen: Sequence[Move]
    local: Sequence[Move]
    gone: bool = False


def join(name: Name, tag: Tag, records: Records) -> Past:
    """Return what a tag pointed to by these records."""
    entries = _stays(records.told or ()) + _stays(records.seen)
    moves = records.told or records.seen
    if not entries:
        entries, moves = _stays(records.local), records.local  # a name that no registry has
    series: dict[Digest, Held] = {}
    for held in entries:
        series.setdefault(held.digest, held)
    gone = records.gone or (bool(moves) and moves[0].to is None)
    counted = {
        digest: replace(held, back=back + gone)
        for back, (digest, held) in enumerate(series.items())
    }
    beside = [held for held in _stays(records.local) if held.digest not in counted]
    told = any(held.source == "registry" for held in counted.values())
    return Past(name, tag, (*counted.values(), *beside), told)


def _stays(moves: Iterable[Move]) -> list[Held]:
    """Return the stays in a record, each digest's newest one, newest first."""
    found: dict[Digest, Held] = {}
    ended: datetime | None = None
    for move in moves:
        if move.to is not None and move.to.digest not in found:
            found[move.to.digest] = Held(move.to.digest, move.time, ended, _source(move), None)
        ended = move.time
    return list(found.values())


def _source(move: Move) -> Source:
    if move.cause.origin == LOCAL:
        return "local"
    return "registry" if move.cause.authoritative else "observed"
