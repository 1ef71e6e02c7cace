"""What refers to an image: by the referrers API, or by the tag that stands in for it.

Where a registry has no such API, clients keep an index under the tag `sha256-<hex>` of the subject
(distribution-spec, "Unavailable Referrers API").
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from killick.client.answers import Asked
from killick.client.listing import endless, pages
from killick.errors import LimitExceeded, NotFound, ProtocolError, Unsupported
from killick.manifest import OCI_INDEX, Descriptor, Document, Index, parse_document
from killick.names import Tag

if TYPE_CHECKING:
    from killick.client.auth import Auth
    from killick.client.documents import Documents
    from killick.client.session import Session
    from killick.digest import Digest

MOST_REFERRERS = 10_000


class Referring:
    """The referrers in the repository at `path`."""

    def __init__(self, session: Session, auth: Auth, path: str, documents: Documents) -> None:
        self._session = session
        self._auth = auth
        self._path = path
        self._documents = documents
        self._lock = threading.Lock()

    def find(self, digest: Digest, artifact_type: str | None) -> Iterator[Descriptor]:
        """Yield the descriptors of what refers to `digest`, each once, of one type if asked."""
        seen: set[Digest] = set()
        for listed in self._all(digest, artifact_type):
            fresh = {d.digest: d for d in listed if d.digest not in seen}
            if listed and not fresh:
                raise endless("referrers")
            seen.update(fresh)
            if len(seen) > MOST_REFERRERS:
                raise LimitExceeded(
                    f"more than {MOST_REFERRERS} things refer to {digest}", side="remote"
                )
            yield from (d for d in fresh.values() if artifact_type in (None, d.artifact_type))

    def note(self, document: Document, d: Descriptor) -> None:
        """List a document, which was just put, under the tag of its subject."""
        subject = document.subject
        if subject is None:
            return
        tag = fallback_tag(subject.digest)
        with self._lock:
            listed = self._by_tag(tag)
            if all(entry.digest != d.digest for entry in listed):
                self._write(tag, [*listed, _entry(document, d)])

    def strike(self, document: Document, digest: Digest) -> None:
        """Remove a document, which was just deleted, from under the tag of its subject."""
        subject = document.subject
        if subject is None:
            return
        tag = fallback_tag(subject.digest)
        with self._lock:
            listed = self._by_tag(tag)
            left = [entry for entry in listed if entry.digest != digest]
            if len(left) < len(listed):
                self._write(tag, left)

    def _all(self, digest: Digest, artifact_type: str | None) -> Iterator[Sequence[Descriptor]]:
        wanted = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        target = f"/v2/{self._path}/referrers/{digest}{wanted}"
        asked = Asked("manifest", str(digest), self._session.domain)
        scopes = (f"repository:{self._path}:pull",)
        try:
            for page in pages(self._session, self._auth, target, scopes, asked):
                yield _listed(page)
        except (NotFound, Unsupported):
            yield self._by_tag(fallback_tag(digest))

    def _by_tag(self, tag: Tag) -> tuple[Descriptor, ...]:
        try:
            document = self._documents.get(tag).document
        except NotFound:
            return ()
        return document.manifests if isinstance(document, Index) else ()

    def _write(self, tag: Tag, listed: Sequence[Descriptor]) -> None:
        raw = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [entry.to_json() for entry in listed],
            }
        ).encode()
        document = parse_document(raw)
        self._documents.put(tag, document.descriptor, document)


def fallback_tag(digest: Digest) -> Tag:
    """Return the tag under which the referrers of `digest` are listed without the API."""
    return Tag(f"{digest.algorithm}-{digest.encoded}".replace("+", "-")[:128])


def _entry(document: Document, d: Descriptor) -> Descriptor:
    found = document.as_referrer()
    return Descriptor(
        d.media_type,
        d.digest,
        d.size,
        artifact_type=found.artifact_type,
        annotations=found.annotations,
    )


def _listed(page: dict[str, Any]) -> list[Descriptor]:
    listed = page.get("manifests") or []
    if not isinstance(listed, list):
        raise ProtocolError("the registry's list of referrers is none", side="remote")
    return [Descriptor.from_json(value, "a referrer") for value in listed]
