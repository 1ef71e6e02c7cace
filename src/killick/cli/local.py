"""What a text means in the local store: a name, or a digest of anything that is held.

An exact local name comes first; then `sha256:…`, its hex, or a unique prefix of at least six digits
(a hex string is a legal repository name, so that order matters).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick import travel
from killick.errors import BadReference, ManifestUnknown, NotFound, UsageError
from killick.names import Name, Reference

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.manifest import Descriptor
    from killick.store import Store, StoreRepository

_ALGORITHMS = ("sha256:", "sha512:")
_PREFIX = re.compile(r"(?:sha256:|sha512:)?[0-9a-f]{6,128}")


@dataclass(frozen=True, slots=True)
class Local:
    """Content that is held here: where, as what; `reference` if it was found by a name."""

    repository: StoreRepository
    descriptor: Descriptor
    reference: Reference | None = None

    @property
    def name(self) -> Name:
        """The name of the repository it was found in."""
        domain, _, path = self.repository.name.partition("/")
        return Name(domain, path)


def find_image(session: Session, text: str, store: Store | None = None) -> Local:
    """Return the image that `text` names; a config's or a layer's digest leads to its image.

    Raises:
        BadReference: `text` is neither a name nor a digest.
        NotFound: nothing of that name or digest is here.
        UsageError: several images have it; the hint lists them.
    """
    store = store or session.reading
    try:
        return _by_name(session, store, text)
    except (BadReference, NotFound) as error:
        if not _PREFIX.fullmatch(text):
            raise
        found = _by_digest(store, text)
        if found is None:
            if isinstance(error, BadReference) or text.startswith(_ALGORITHMS):
                raise ManifestUnknown(f"nothing here has the digest {text}", hint=_HINT) from None
            raise
        return found


_HINT = "killick images -a lists what there is"


def _by_name(session: Session, store: Store, text: str) -> Local:
    reference = Reference.parse(text)
    repository = store.repository(str(reference.name))
    return Local(repository, travel.resolve(repository, reference, session.now), reference)


def _by_digest(store: Store, text: str) -> Local | None:
    known = store.lookup(text)
    if len(known) > 1:
        listed = ", ".join(f"{k.descriptor.digest} ({k.kind})" for k in known[:5])
        raise UsageError(f"{text!r} is the beginning of {len(known)} digests", hint=listed)
    if not known:
        return None
    if known[0].kind in ("index", "manifest"):
        roots = [known[0].descriptor]
    else:
        roots = store.images_with(known[0].descriptor.digest)
    if len(roots) > 1:
        listed = ", ".join(str(d.digest) for d in roots[:5])
        raise UsageError(f"{text!r} is part of {len(roots)} images", hint=f"name one: {listed}")
    for root in roots:
        for owner in store.lookup(str(root.digest)):
            for name in owner.repositories:
                return Local(store.repository(name), root)
    return None
