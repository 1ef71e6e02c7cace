"""The past of a registry's tags: what the registry itself tells, else what was seen from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from killick import travel
from killick.cli.printing import note
from killick.errors import TagUnknown, Unsupported
from killick.names import DEFAULT_TAG, Tag

if TYPE_CHECKING:
    from datetime import datetime

    from killick.cli.context import Session
    from killick.manifest import Descriptor
    from killick.names import Name, Reference
    from killick.repository import Historic


def past(session: Session, reference: Reference) -> Descriptor:
    """Return what `reference`, which travels in time, meant in its registry; stderr says who knew.

    Where the registry tells its history, that decides; else what this machine saw of the tag.

    Raises:
        TagUnknown: it is not recorded there.
    """
    told = told_history(session, reference.name)
    if told is None:
        return _observed(session, reference)
    found = kept(told, reference, session.now)
    note(f"{reference} is {found.digest}, by the history that {reference.name.domain} keeps")
    return found


def told_history(session: Session, name: Name) -> Historic | None:
    """Return what tells the history that a registry keeps; None where it does not announce any."""
    try:
        return session.registry(name.domain).history(name.path)
    except Unsupported:
        return None


def kept(told: Historic, reference: Reference, now: datetime) -> Descriptor:
    """Return what `reference` meant by the history that its registry tells.

    Raises:
        TagUnknown: that does not go back so far.
    """
    name, tag = reference.name, reference.effective_tag or Tag(DEFAULT_TAG)
    found = travel.past(told.history(tag), reference, now)
    if found is None:
        raise TagUnknown(
            f"{reference} is not in the history that {name.domain} keeps",
            side="remote",
            hint=f"see killick log --remote {name.familiar}:{tag}",
        )
    return found


def _observed(session: Session, reference: Reference) -> Descriptor:
    name = reference.name
    tag = reference.effective_tag or Tag(DEFAULT_TAG)
    moves = session.reading.repository(str(name)).history(tag, name.domain)
    found = travel.past(moves, reference, session.now)
    if found is None:
        raise TagUnknown(
            f"{reference} is not in the history of {name.domain} that this machine observed",
            hint=f"see killick log --observed {name.familiar}:{tag}",
        )
    note(f"{reference} is {found.digest}, by the history that this machine observed")
    return found
