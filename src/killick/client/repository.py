"""A repository of a registry over HTTP (OCI distribution-spec 1.1)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, BinaryIO, cast

from killick.client.answers import Asked, failure
from killick.client.body import Download
from killick.client.documents import Documents, Sighting
from killick.client.listing import pages, query, texts
from killick.client.messages import Request, Response
from killick.client.origin import Url
from killick.client.referrers import Referring
from killick.client.uploads import Place, Upload, mount
from killick.digest import Digest, verify
from killick.errors import (
    BadReference,
    Denied,
    LimitExceeded,
    NotFound,
    ProtocolError,
    Unsupported,
    UsageError,
)
from killick.manifest import MOST_DOCUMENT_BYTES, MOST_SIZE, Descriptor, parse_document
from killick.names import Name, Tag, is_path
from killick.repository import BLOB_TYPE, Cause
from killick.wire.extensions import WHOLE

if TYPE_CHECKING:
    from killick.client.retry import Retry
    from killick.client.session import Session


class RemoteRepository:
    """Content, tags, mounts, deletes and referrers of one repository. Safe for many threads.

    Nothing of what the registry says is believed: documents are verified against the digest that
    was asked for; blobs are for the caller to verify, as for any remote `open`.
    """

    def __init__(self, session: Session, path: str) -> None:
        """Make the repository at `path`; nothing is looked up.

        Raises:
            UsageError: `path` is no repository's path.
        """
        if not is_path(path):
            raise UsageError(f"{path!r} is not the path of a repository")
        self.name = path
        self._session = session
        self.auth = session.auth(path)
        self.label = Name(session.domain, path).familiar
        self._documents = Documents(session, self.auth, path, self.label)
        self._referring = Referring(session, self.auth, path, self._documents)
        self._lock = threading.Lock()
        self._begun: dict[Digest, Place] = {}

    def find(self, digest: Digest, /) -> Descriptor:
        """Return the descriptor of a blob."""
        with self._head_blob(digest) as response:
            if response.status != 200:
                raise failure(response, self._blob(digest))
            length = response.header("Content-Length") or ""
        if not (length.isascii() and length.isdigit() and int(length[:18]) <= MOST_SIZE):
            raise ProtocolError(
                f"{self._session.domain} does not say how large {digest} is", side="remote"
            )
        return Descriptor(BLOB_TYPE, digest, int(length))

    def has(self, d: Descriptor, /) -> bool:
        """Return whether the content is here. A blob of another size is not it."""
        if d.is_document:
            return self._documents.has(d.digest)
        with self._head_blob(d.digest) as response:
            if response.status == 200:
                return response.header("Content-Length") in (None, str(d.size))
            if response.status == 404:
                return False
            raise failure(response, self._blob(d.digest))

    def open(self, d: Descriptor, /, start: int = 0) -> BinaryIO:
        """Return a stream of the content from byte `start` on.

        Documents are verified; a blob is a stream that outlives broken connections.
        """
        if d.is_document:
            if d.size > MOST_DOCUMENT_BYTES:
                raise LimitExceeded(
                    f"{d.digest} has {d.size} bytes, and {MOST_DOCUMENT_BYTES} are allowed",
                    side="remote",
                )
            return BytesIO(self._documents.get(d.digest).document.raw[start:])
        retry = self._session.retry()

        def ask(offset: int) -> Response:
            return self._blob_from(d, offset, retry)

        return cast("BinaryIO", Download(d, start, ask, retry, self._session.pause))

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Take the content, verified before the end of it is sent."""
        if not d.is_document:
            with self._lock:
                place = self._begun.pop(d.digest, None)
            Upload(self._session, self.auth, self.name, d, place).send(source)
            return
        raw = _read_document(d, source)
        verify(raw, d.digest, d.size)
        document = parse_document(raw, d.media_type)
        noted = self._documents.put(d.digest, d, document)
        if document.subject is not None and not noted:
            self._referring.note(document, d)

    def resolve(self, ref: Tag | Digest, /) -> Descriptor:
        """Return what a tag points to, or the descriptor of a manifest."""
        return self._documents.resolve(ref).descriptor

    def sight(self, tag: Tag, /) -> Sighting:
        """Return what a tag points to, and where the registry says that its ledger ended then."""
        return self._documents.resolve(tag)

    def tags(self, after: str = "", /, n: int | None = None) -> Iterator[Tag]:
        """Yield all tags (after `after`), in ASCII order; or the first `n` that the registry has.

        Raises:
            NameUnknown: there is no such repository.
            ProtocolError: the list has something in it that is no tag.
        """
        target = f"/v2/{self.name}/tags/list{query(n, after)}"
        asked = Asked("repository", self.label, self._session.domain)
        listed = pages(self._session, self.auth, target, self.scopes("pull"), asked)
        try:
            found = sorted(Tag(text) for text in texts(listed, "tags", n))
            yield from (tag for tag in found if tag > after)  # some registries ignore `last`
        except BadReference as error:
            raise ProtocolError(
                f"{self._session.domain} lists a tag that is none: {error.message}", side="remote"
            ) from None

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at a manifest that is here, by sending its very bytes again.

        Raises:
            Unsupported: the registry can't point a tag at a digest that is not a sha256.
        """
        document = self._documents.get(d.digest).document
        self._documents.tag(name, d, document)

    def untag(self, name: Tag, /) -> None:
        """Remove a tag, where the registry does that.

        Raises:
            Unsupported: it does not.
        """
        self._documents.delete(name)

    def mount(self, d: Descriptor, sister: str, /) -> bool:
        """Make a blob of the repository `sister` visible here, where the registry does that."""
        if not is_path(sister):
            return False
        try:
            done, place = mount(self._session, self.auth, self.name, d, sister)
        except (NotFound, Denied, Unsupported):
            return False
        if place is not None:
            self._keep(d, place)
        return done

    def _keep(self, d: Descriptor, place: Place) -> None:
        """Remember an upload that a refused mount has begun: the next `put` goes on with it."""
        with self._lock:
            other = self._begun.pop(d.digest, None)
            self._begun[d.digest] = place
        if other is not None:
            Upload(self._session, self.auth, self.name, d, other).cancel()

    def delete(self, d: Descriptor, /, cause: Cause | None = None) -> None:  # noqa: ARG002 - the registry keeps its own account
        """Remove a manifest, with its tags, or a blob.

        Raises:
            Unsupported: the registry deletes none.
        """
        if d.is_document:
            document = self._documents.get(d.digest).document
            self._documents.delete(d.digest)
            self._referring.strike(document, d.digest)
            return
        request = Request("DELETE", self._blob_url(d.digest))
        scopes = self.scopes("delete,pull,push")
        with self._session.send(request, self.auth, scopes) as response:
            if response.status not in (200, 202, 204):
                raise failure(response, self._blob(d.digest))

    def referrers(
        self, digest: Digest, /, artifact_type: str | None = None, after: Digest | None = None
    ) -> Iterator[Descriptor]:
        """Yield what refers to `digest`, by the API or by the tag that stands in for it.

        The order is the registry's; `after` skips what it lists up to that digest.
        """
        found = self._referring.find(digest, artifact_type)
        if after is None:
            return found
        return islice(dropwhile(lambda d: d.digest != after, found), 1, None)

    def complete(self, d: Descriptor, /) -> bool:
        """Return whether a manifest is here; most registries don't take one that lacks its parts.

        One that does may know the header that asks for whole ones, as Killick's own. False for an
        index, of which a registry may have a part.
        """
        return d.is_document and not d.is_index and self._documents.has(d.digest, WHOLE)

    def asked(self, ref: Tag | Digest) -> Asked:
        """Return what a request for a tag or a manifest is about, for errors."""
        return self._documents.asked(ref)

    def _blob_from(self, d: Descriptor, offset: int, retry: Retry) -> Response:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        request = Request("GET", self._blob_url(d.digest), headers, budget=d.size)
        scopes = self.scopes("pull")
        response = self._session.send(request, self.auth, scopes, retry)
        if response.status == 416 and offset:
            response.close()
            whole = replace(request, headers={})
            response = self._session.send(whole, self.auth, scopes, retry)
        if response.status == 200 or (response.status == 206 and offset):
            return response
        if response.status < 300:
            response.close()
            raise ProtocolError(
                f"{self._session.domain} sends a part of {d.digest} that nobody asked for",
                side="remote",
            )
        raise failure(response, self._blob(d.digest))

    def _head_blob(self, digest: Digest) -> Response:
        request = Request("HEAD", self._blob_url(digest))
        return self._session.send(request, self.auth, self.scopes("pull"))

    def _blob_url(self, digest: Digest) -> Url:
        return self._session.url(f"/v2/{self.name}/blobs/{digest}")

    def _blob(self, digest: Digest) -> Asked:
        return Asked("blob", f"{self.label}@{digest}", self._session.domain)

    def scopes(self, actions: str) -> tuple[str]:
        """Return the scopes of a request that needs `actions` on this repository."""
        return (f"repository:{self.name}:{actions}",)


def _read_document(d: Descriptor, source: BinaryIO) -> bytes:
    """Return all of `source`, which must have the size that `d` says."""
    if d.size > MOST_DOCUMENT_BYTES:
        raise LimitExceeded(f"{d.digest} has {d.size} bytes, and {MOST_DOCUMENT_BYTES} are allowed")
    pieces = []
    left = d.size + 1
    while left > 0 and (data := source.read(left)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)
