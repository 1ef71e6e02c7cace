"""Time travel: what a reference means, now or at another moment of its tag's past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from killick.digest import Digest
from killick.errors import NotFound, TagUnknown, Unsupported
from killick.manifest import Descriptor
from killick.names import DEFAULT_TAG, Reference, Tag
from killick.repository import LOCAL, Ledger, Move, Repository, Tags


def resolve(
    repository: Repository, reference: Reference, now: datetime, origin: str = LOCAL
) -> Descriptor:
    """Return what `reference` points to in `repository`: by digest, by tag, or by its tag's past.

    Raises:
        ManifestUnknown, TagUnknown, NameUnknown: there is no such thing, or was none then.
        Unsupported: the reference travels in time, and the repository keeps no ledger.
    """
    if reference.digest is not None:
        return repository.resolve(reference.digest)
    tag = reference.tag or Tag(DEFAULT_TAG)
    if not reference.travels:
        return repository.resolve(tag)
    if not isinstance(repository, Ledger):
        raise Unsupported(
            f"{reference} can't be looked up: this place keeps no history of its tags",
            hint="name the image by its digest",
        )
    found = past(repository.history(tag, origin), reference, now)
    if found is None:
        raise TagUnknown(f"{reference} is not recorded", hint=f"see killick log {reference.name}")
    return found


def standing(repository: Tags, ref: Tag | Digest) -> Digest | None:
    """Return the digest of what a name points to now, None where there is no such thing."""
    try:
        return repository.resolve(ref).digest
    except NotFound:
        return None


def past(moves: Iterable[Move], reference: Reference, now: datetime) -> Descriptor | None:
    """Return what the series `moves` (newest first) says `reference` meant, or None."""
    if reference.back is not None:
        return back(moves, reference.back)
    moment = reference.at(now)
    return None if moment is None else at(moves, moment)


def back(moves: Iterable[Move], count: int) -> Descriptor | None:
    """Return what the tag pointed to `count` distinct digests ago; 0 is what it points to now.

    A tag that was removed points to nothing now, and `~1` is what it pointed to last.
    """
    earlier: list[Digest] = []
    for position, move in enumerate(moves):
        if position == 0 and count == 0:
            return move.to
        if move.to is None or move.to.digest in earlier:
            continue
        earlier.append(move.to.digest)
        if position > 0:
            count -= 1
        if count == 0:
            return move.to
    return None


def at(moves: Iterable[Move], moment: datetime) -> Descriptor | None:
    """Return what the tag pointed to at `moment`, None where it did not exist then."""
    for move in moves:
        if move.time <= moment:
            return move.to
    return None
