"""What `flag` and `unflag` mean by a reference or a digest, and how statements get about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick.cli import attached
from killick.cli.local import find_image
from killick.cli.looking import look_up
from killick.errors import BadReference, KillickError, ManifestUnknown, NotFound, UsageError
from killick.names import Name, Reference

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.digest import Digest
    from killick.manifest import Descriptor
    from killick.openvex import Vex


@dataclass(frozen=True, slots=True)
class Meant:
    """An image that somebody named: its digest, and the repository that it was named in."""

    name: Name
    digest: Digest


def find_meant(session: Session, text: str) -> Meant:
    """Return the image that `text` names: here, else in its registry, else by what is known.

    A digest that was written out is taken as it is, for the image may be gone from everywhere.

    Raises:
        BadReference: `text` names nothing.
        NotFound: there is no such image.
        UsageError: several images have it.
    """
    try:
        reference = Reference.parse(text)
    except BadReference:
        reference = None
    if reference is not None and reference.digest is not None:
        return Meant(reference.name, reference.digest)
    try:
        held = find_image(session, text)
        return Meant(held.name, held.descriptor.digest)
    except (BadReference, NotFound) as error:
        known = _recognised(session, text)
        if known is not None:
            return known
        if reference is None:
            raise
        try:
            found = look_up(session, session.remote(reference.name), reference)
        except NotFound:
            raise error from None
        return Meant(reference.name, found.digest)


def _recognised(session: Session, text: str) -> Meant | None:
    """Return the index or manifest whose digest begins with `text`, which need not be here."""
    store = session.reading
    found = []
    for digest in store.recognise(text):
        node = store.node(digest)
        if node is not None and node.kind in ("index", "manifest"):
            found.append(digest)
    if len(found) > 1:
        listed = ", ".join(map(str, found[:5]))
        raise UsageError(f"{text!r} is the beginning of {len(found)} digests", hint=listed)
    if not found:
        return None
    for stay in store.stays(found[0]):
        domain, _, path = stay.repository.partition("/")
        return Meant(Name(domain, path), found[0])
    raise ManifestUnknown(
        f"no repository is known that has {found[0]}", hint="write NAME@sha256:… in full"
    )


def learn(session: Session, images: Iterable[Meant]) -> None:
    """Learn what images hold, so that statements cover that; without it if nobody can tell."""
    from killick.cli.knowing import Knowing

    knowing = Knowing(session, offline=False)
    if not knowing.offline:
        knowing.learner.images({image.digest: (image.name,) for image in images})


def push(session: Session, image: Meant, vex: Vex) -> Descriptor:
    """Attach a document to an image in its registry.

    Raises:
        KillickError: that can't be done; what was said is kept here.
    """
    try:
        return attached.attach(session.remote(image.name), image.digest, vex)
    except KillickError as error:
        error.message += " (it is kept here, but not attached)"
        raise
