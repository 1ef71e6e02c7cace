"""What a reference means in its registry, as the commands that ask registries need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick.cli.heads import looked_up
from killick.cli.local import find_image
from killick.cli.past import past
from killick.names import DEFAULT_TAG, Reference, Tag

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

    Raises:
        NotFound: there is no such thing, or it was not recorded.
        HistoryRewritten: the ledger of the registry does not go on from what was seen of it.
    """
    if reference.travels:
        return remote.resolve(past(session, reference).digest)
    if reference.digest is not None:
        return remote.resolve(reference.digest)
    return looked_up(session, reference.name, reference.tag or Tag(DEFAULT_TAG))
