"""What a reference means in its registry, as the commands that ask registries need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick import travel
from killick.cli.local import find_image
from killick.cli.output import note
from killick.errors import TagUnknown
from killick.names import DEFAULT_TAG, Reference, Tag
from killick.repository import Ledger

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.manifest import Descriptor
    from killick.repository import Repository


@dataclass(frozen=True, slots=True)
class Found:
    """An image, and where it was found."""

    repository: Repository
    descriptor: Descriptor


def find(session: Session, text: str, *, local: bool) -> Found:
    """Return the image that `text` names, in its registry or (`local`) in the store.

    Raises:
        BadReference: `text` names nothing.
        NotFound: there is no such image.
    """
    if local:
        held = find_image(session, text)
        return Found(held.repository, held.descriptor)
    reference = Reference.parse(text)
    remote = session.remote(reference.name)
    return Found(remote, look_up(session, remote, reference))


def look_up(session: Session, remote: Repository, reference: Reference) -> Descriptor:
    """Return what `reference` means in its registry, of which `remote` is the repository.

    The past of a tag is the registry's own history where it keeps one, else what was seen from
    here; stderr says which.

    Raises:
        NotFound: there is no such thing, or it was not recorded.
    """
    if not reference.travels or isinstance(remote, Ledger):
        if reference.travels:
            note(f"{reference} is read in the history that {reference.name.domain} keeps")
        return travel.resolve(remote, reference, session.now, reference.name.domain)
    tag = reference.tag or Tag(DEFAULT_TAG)
    series = session.reading.repository(str(reference.name)).history(tag, reference.name.domain)
    found = travel.past(series, reference, session.now)
    if found is None:
        raise TagUnknown(
            f"{reference} was not seen from here",
            hint=f"see killick log --observed {reference.name.familiar}:{tag}",
        )
    note(f"{reference} is as it was observed from here; the registry keeps no history of its own")
    return remote.resolve(found.digest)
