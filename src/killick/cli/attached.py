"""OpenVEX documents attached to images in a registry, as OCI referrers: read, and put there.

https://github.com/opencontainers/image-spec/blob/main/manifest.md, "subject" and "artifactType".
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from killick import openvex, strictjson
from killick.errors import ContentError, NotFound
from killick.fleet.advice import REGISTRY
from killick.knowledge import Advisory
from killick.manifest import OCI_EMPTY, OCI_MANIFEST, Descriptor, Manifest
from killick.moments import rfc3339
from killick.repository import Referrers
from killick.transfer import fetch, fetch_bytes

if TYPE_CHECKING:
    from killick.digest import Digest
    from killick.names import Name
    from killick.openvex import Vex
    from killick.repository import Repository

MOST_DOCUMENTS = 100
"""How many documents attached to one image are read."""
MOST_IMAGES = 50
"""Of how many digests of one tag it is read what is attached to them."""


def read(repository: Repository, name: Name, digests: Iterable[Digest]) -> Iterator[Advisory]:
    """Yield the documents that are attached to images; what is none is passed over.

    Raises:
        KillickError: the registry can't be asked.
    """
    if not isinstance(repository, Referrers):
        return
    for digest in islice(digests, MOST_IMAGES):
        listed = repository.referrers(digest, openvex.MEDIA_TYPE)
        for d in islice(listed, MOST_DOCUMENTS):
            try:
                vex = document_in(repository, d)
            except (ContentError, NotFound):
                continue
            if vex is not None and vex.subject == digest:
                yield Advisory(vex, f"{REGISTRY}{name}")


def document_in(repository: Repository, d: Descriptor) -> Vex | None:
    """Return the document that a referrer brings; None where it is attached to nothing, or none.

    Raises:
        NotFound: it is not there.
        ContentError: it is no such document.
        KillickError: the registry can't be asked.
    """
    document = fetch(repository, d.plain())
    if not isinstance(document, Manifest) or document.subject is None or len(document.layers) != 1:
        return None
    raw = fetch_bytes(repository, document.layers[0], openvex.MOST_BYTES)
    return openvex.parse(raw, document.subject.digest)


def attach(repository: Repository, subject: Digest, vex: Vex) -> Descriptor:
    """Attach a document to an image, and return the descriptor of the referrer.

    Raises:
        NotFound: the image is not in the repository.
        KillickError: the registry does not take it.
    """
    image = repository.resolve(subject)
    layer = Descriptor.of(openvex.MEDIA_TYPE, vex.raw)
    empty = Descriptor.of(OCI_EMPTY, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": openvex.MEDIA_TYPE,
        "config": empty.to_json(),
        "layers": [layer.to_json()],
        "subject": image.plain().to_json(),
        "annotations": {"org.opencontainers.image.created": rfc3339(vex.time)},
    }
    raw = strictjson.compact(manifest)
    for d, content in ((empty, b"{}"), (layer, vex.raw)):
        repository.put(d, io.BytesIO(content))
    found = Descriptor.of(OCI_MANIFEST, raw)
    repository.put(found, io.BytesIO(raw))
    return found
