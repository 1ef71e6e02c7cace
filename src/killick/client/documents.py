"""Manifests and indexes of one remote repository, and the few of them that are remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from killick import chain
from killick.client.answers import Asked, failure, media_type, unexpected
from killick.client.messages import Request, Response
from killick.digest import Digest, verify
from killick.errors import BadDigest, DigestMismatch, LimitExceeded, Unsupported
from killick.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA_1,
    DOCUMENT_TYPES,
    MOST_DOCUMENT_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Document,
    parse_document,
)
from killick.names import Tag
from killick.wire.extensions import WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from killick.client.auth import Auth
    from killick.client.origin import Url
    from killick.client.session import Session
    from killick.repository import Head

ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
MOST_REMEMBERED_BYTES = 16 * 1024 * 1024

_NONE: Mapping[str, str] = {}
_JSON_TYPES = frozenset({"", "application/json", "text/plain", "application/octet-stream"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, and the digest that it was asked for by (else its sha256).

    `head` is where the registry says that its ledger ended then.
    """

    digest: Digest
    document: Document
    head: Head | None = None

    @property
    def descriptor(self) -> Descriptor:
        """Its descriptor, by that digest."""
        return Descriptor(self.document.media_type, self.digest, len(self.document.raw))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a reference points to, and where the registry says that its ledger ended then."""

    descriptor: Descriptor
    head: Head | None


class Memory:
    """The documents seen last, by digest: at most 16 MiB of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Digest, Document] = OrderedDict()
        self._size = 0

    def get(self, digest: Digest) -> Document | None:
        """Return a document that is remembered, or None."""
        with self._lock:
            if digest in self._held:
                self._held.move_to_end(digest)
            return self._held.get(digest)

    def add(self, digest: Digest, document: Document) -> None:
        """Remember a document, and forget the ones not asked for longest."""
        with self._lock:
            if digest not in self._held:
                self._held[digest] = document
                self._size += len(document.raw)
            while self._size > MOST_REMEMBERED_BYTES:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped.raw)

    def drop(self, digest: Digest) -> None:
        """Forget a document."""
        with self._lock:
            dropped = self._held.pop(digest, None)
            self._size -= len(dropped.raw) if dropped else 0


class Documents:
    """Gets, puts and deletes the documents of the repository at `path`; `label` is for people."""

    def __init__(self, session: Session, auth: Auth, path: str, label: str) -> None:
        self._session = session
        self._auth = auth
        self._path = path
        self._label = label
        self._memory = Memory()

    def resolve(self, ref: Tag | Digest) -> Sighting:
        """Return what a reference points to, by HEAD where that tells all, else by GET.

        Raises:
            TagUnknown, ManifestUnknown, NameUnknown: there is none.
            Unacceptable: it is of a kind that is refused.
        """
        with self._ask("HEAD", ref) as response:
            described = _described(response, ref) if response.status == 200 else None
            if response.status in (401, 403, 429) or response.status >= 500:
                raise failure(response, self.asked(ref))
            head = chain.from_text(response.header(chain.HEADER))
        if described is not None:
            return Sighting(described, head)
        fetched = self.get(ref)
        return Sighting(fetched.descriptor, fetched.head)

    def has(self, digest: Digest, headers: Mapping[str, str] = _NONE) -> bool:
        """Return whether the repository has a document; `headers` go with the question."""
        with self._ask("HEAD", digest, headers) as response:
            if response.status in (200, 404):
                return response.status == 200
            if response.status not in (400, 405, 501):
                raise failure(response, self.asked(digest))
        with self._ask("GET", digest) as response:
            if response.status in (200, 404):
                return response.status == 200
            raise failure(response, self.asked(digest))

    def get(self, ref: Tag | Digest) -> Fetched:
        """Return a document, verified where a digest was asked for; tags are asked anew each time.

        Raises:
            TagUnknown, ManifestUnknown, NameUnknown: there is none.
            DigestMismatch: the registry sends another one.
            LimitExceeded, Unacceptable, ContentError, ProtocolError: it is none to work with.
        """
        if isinstance(ref, Digest) and (held := self._memory.get(ref)):
            return Fetched(ref, held)
        request = self._request("GET", ref)
        scopes = self._scopes("pull")
        response, raw = self._session.load(request, self._auth, scopes, MOST_DOCUMENT_BYTES)
        if response.status != 200:
            raise failure(response, self.asked(ref))
        stated = media_type(response)
        if stated not in DOCUMENT_TYPES | _JSON_TYPES and stated not in DOCKER_SCHEMA_1:
            raise unexpected(response, self.asked(ref))
        if isinstance(ref, Digest):
            verify(raw, ref)
        digest = ref if isinstance(ref, Digest) else Digest.of(raw)
        document = parse_document(raw, stated)
        self._memory.add(digest, document)
        return Fetched(digest, document, chain.from_text(response.header(chain.HEADER)))

    def tag(self, name: Tag, d: Descriptor, document: Document) -> None:
        """Put a document under a tag.

        A document that is put under a tag goes by its sha256. One that goes by another digest is
        put under that, and the tag asked for beside it, which not every registry does.

        Raises:
            Unsupported: the registry can't point a tag at this digest.
            DigestMismatch, BlobUnknown, ContentError: as `put`.
        """
        if d.digest.algorithm == "sha256":
            self.put(name, d, document)
            return
        with self._put(d.digest, d, document, f"?tag={name}") as response:
            if response.header("OCI-Tag") != name:
                raise Unsupported(
                    f"{self._session.domain} can't point the tag {name} at {d.digest}",
                    side="remote",
                    hint="it tags by sha256 only; name the image by its digest there",
                )

    def put(self, ref: Tag | Digest, d: Descriptor, document: Document) -> bool:
        """Put a document under its digest or a tag; return whether its subject was taken note of.

        Raises:
            DigestMismatch: the registry makes something else of it.
            BlobUnknown, ContentError: the registry misses parts of it, or dislikes it.
        """
        with self._put(ref, d, document) as response:
            stated = response.header("Docker-Content-Digest")
            noted = response.header("OCI-Subject") is not None
        same_algorithm = stated is not None and stated.startswith(f"{d.digest.algorithm}:")
        if stated is not None and same_algorithm and stated != str(d.digest):
            raise DigestMismatch(
                f"{self._session.domain} stored {d.digest} as {stated[:160]}", side="remote"
            )
        self._memory.add(d.digest, document)
        return noted

    def _put(
        self, ref: Tag | Digest, d: Descriptor, document: Document, query: str = ""
    ) -> Response:
        headers = {"Content-Type": d.media_type, **WHOLE}
        request = Request("PUT", self._url(ref, query), headers, document.raw)
        response = self._session.send(request, self._auth, self._scopes("pull,push"))
        if response.status in (200, 201, 202):
            return response
        with response:
            raise failure(response, self.asked(ref))

    def delete(self, ref: Tag | Digest) -> None:
        """Delete a document, or a tag.

        Raises:
            TagUnknown, ManifestUnknown: there is none.
            Unsupported: the registry deletes none.
        """
        request = Request("DELETE", self._url(ref))
        with self._session.send(request, self._auth, self._scopes("delete,pull,push")) as response:
            if response.status in (200, 202, 204):
                if isinstance(ref, Digest):
                    self._memory.drop(ref)
                return
            if response.status == 405 or (isinstance(ref, Tag) and response.status == 400):
                raise Unsupported(
                    f"{self._session.domain} does not delete {self.asked(ref).kind}s",
                    side="remote",
                    hint="it has to be allowed in the registry's configuration",
                )
            raise failure(response, self.asked(ref))

    def asked(self, ref: Tag | Digest) -> Asked:
        """Return what a request for `ref` is about, for errors."""
        domain = self._session.domain
        if isinstance(ref, Digest):
            return Asked("manifest", f"{self._label}@{ref}", domain)
        return Asked("tag", f"{self._label}:{ref}", domain)

    def _ask(self, method: str, ref: Tag | Digest, headers: Mapping[str, str] = _NONE) -> Response:
        request = self._request(method, ref, headers)
        return self._session.send(request, self._auth, self._scopes("pull"))

    def _request(
        self, method: str, ref: Tag | Digest, headers: Mapping[str, str] = _NONE
    ) -> Request:
        accepting = {"Accept": ACCEPT, **headers}
        return Request(method, self._url(ref), accepting, budget=MOST_DOCUMENT_BYTES)

    def _url(self, ref: Tag | Digest, query: str = "") -> Url:
        return self._session.url(f"/v2/{self._path}/manifests/{ref}{query}")

    def _scopes(self, actions: str) -> tuple[str]:
        return (f"repository:{self._path}:{actions}",)


def _described(response: Response, ref: Tag | Digest) -> Descriptor | None:
    """Return the descriptor that the answer to a HEAD amounts to; None if it does not tell all."""
    kind = media_type(response)
    length = response.header("Content-Length") or ""
    stated = response.header("Docker-Content-Digest")
    if kind not in DOCUMENT_TYPES or not (length.isascii() and length.isdigit()):
        return None
    try:
        digest = Digest.parse(stated) if stated else None
    except BadDigest:
        return None
    if isinstance(ref, Digest):
        if digest is not None and digest != ref and digest.algorithm == ref.algorithm:
            raise DigestMismatch(
                f"{response.url.origin.netloc} answers for {ref} with {digest}", side="remote"
            )
        digest = ref
    if digest is None or not digest.verifiable or not int(length[:18]):
        return None
    if int(length[:18]) > MOST_DOCUMENT_BYTES:
        raise LimitExceeded(
            f"a manifest of {length[:18]} bytes is offered, and {MOST_DOCUMENT_BYTES} are allowed",
            side="remote",
        )
    return Descriptor(kind, digest, int(length))
