"""The reading side of an OCI layout, whatever its blobs lie in: a directory or a tar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, Protocol

from killick.digest import CHUNK, Bytes, Digest, VerifyingReader
from killick.errors import BlobUnknown, ContentError, ManifestUnknown, StoreReadOnly
from killick.layout.entries import Entries
from killick.manifest import (
    MOST_DOCUMENT_BYTES,
    MOST_INDEX_DEPTH,
    Descriptor,
    Document,
    Index,
    parse_document,
)
from killick.names import Tag
from killick.repository import BLOB_TYPE
from killick.transfer import fetch


class Blobs(Protocol):
    """What a view reads: the entries, and files by digest, unverified."""

    def entries(self) -> Entries:
        """Return what index.json says now."""
        ...

    def size(self, digest: Digest, /) -> int | None:
        """Return the size of a blob, None if it is not there."""
        ...

    def stream(self, digest: Digest, /) -> BinaryIO | None:
        """Return the bytes of a blob as they lie there, None if it is not there."""
        ...


class LayoutView:
    """One repository of a layout, to be read: content that is hashed as it is handed out.

    All repositories of a layout share their content; they differ in their tags. This is a
    `Repository` that nothing can be written to, with `Referrers` and `Knowing`.
    """

    def __init__(self, blobs: Blobs, name: str) -> None:
        self.name = name
        self._blobs = blobs

    def find(self, digest: Digest, /) -> Descriptor:
        """Return the descriptor of a blob.

        Raises:
            BlobUnknown: it is not here.
        """
        size = self._blobs.size(digest)
        if size is None:
            raise BlobUnknown(f"the layout has no blob {digest}", side="file")
        return Descriptor(BLOB_TYPE, digest, size)

    def has(self, d: Descriptor, /) -> bool:
        """Return whether a file of the right size lies under the digest; damage is not seen."""
        return self._blobs.size(d.digest) == d.size

    def open(self, d: Descriptor, /, start: int = 0) -> BinaryIO:
        """Return a stream of the content from byte `start` on, hashed from byte 0 on.

        Raises:
            ManifestUnknown, BlobUnknown: it is not here.
            DigestMismatch: (from reading) the bytes are damaged.
        """
        found = self._blobs.stream(d.digest)
        if found is None:
            kind = ManifestUnknown if d.is_document else BlobUnknown
            raise kind(f"{d.digest} is missing in the layout", side="file")
        try:
            stream = _OnFile(found, d.digest, d.size)
            while start > 0 and (passed := stream.read(min(start, CHUNK))):
                start -= len(passed)
        except BaseException:
            found.close()
            raise
        return stream  # type: ignore[return-value]  # a raw stream is a BinaryIO in all but name

    def put(self, d: Descriptor, _: BinaryIO, /) -> None:
        """Refuse: raise StoreReadOnly."""
        raise _read_only(f"{d.digest} can't be put into the archive")

    def tag(self, name: Tag, _: Descriptor, /) -> None:
        """Refuse: raise StoreReadOnly."""
        raise _read_only(f"{name} can't be moved in the archive")

    def untag(self, name: Tag, /) -> None:
        """Refuse: raise StoreReadOnly."""
        raise _read_only(f"{name} can't be removed from the archive")

    def resolve(self, ref: Tag | Digest, /) -> Descriptor:
        """Return what a tag points to, or the descriptor of a manifest.

        Raises:
            TagUnknown, ManifestUnknown: there is no such thing.
            Conflict: several images have the tag.
        """
        if not isinstance(ref, Digest):
            return self._blobs.entries().resolve(self.name, ref)
        listed = self._blobs.entries().listed(ref)
        if listed is not None and self.has(listed):
            return listed.plain()
        size = self._blobs.size(ref)
        if size is not None and size <= MOST_DOCUMENT_BYTES:
            return self._recognise(Descriptor(BLOB_TYPE, ref, size))
        raise ManifestUnknown(f"the layout has no manifest {ref}", side="file")

    def _recognise(self, blob: Descriptor) -> Descriptor:
        """Return the descriptor of a manifest that no entry lists: a layout keeps no types."""
        with closing(self.open(blob)) as stream:
            raw = b"".join(iter(lambda: stream.read(CHUNK), b""))
        try:
            return Descriptor(parse_document(raw).media_type, blob.digest, blob.size)
        except ContentError:
            raise ManifestUnknown(f"{blob.digest} is not a manifest", side="file") from None

    def tags(self, after: str = "", /) -> Iterator[Tag]:
        """Yield all tags (after `after`), in ASCII order."""
        yield from self._blobs.entries().tags(self.name, after)

    def referrers(
        self, digest: Digest, /, artifact_type: str | None = None, after: Digest | None = None
    ) -> Iterator[Descriptor]:
        """Yield the descriptors of what refers to `digest`, in the order of their digests."""
        found = {
            document.digest: document.as_referrer()
            for document in self._documents()
            if document.subject is not None and document.subject.digest == digest
        }
        for one in sorted(found, key=str):
            kind = found[one].artifact_type
            if (after is None or str(one) > str(after)) and artifact_type in (None, kind):
                yield found[one]

    def complete(self, d: Descriptor, /) -> bool:
        """Return whether a manifest and all that it needs are here, by name and size."""
        return self._complete(d, MOST_INDEX_DEPTH + 1)

    def _complete(self, d: Descriptor, depth: int) -> bool:
        if d.is_foreign:
            return True
        if depth < 0 or not self.has(d):
            return False
        if not d.is_document:
            return True
        return all(self._complete(child, depth - 1) for child in fetch(self, d).children())

    def _documents(self) -> Iterator[Document]:
        """Yield all manifests and indexes that the entries lead to and that are here, once."""
        pending = [e.descriptor for e in self._blobs.entries().entries]
        seen: set[Digest] = set()
        while pending:
            d = pending.pop(0)
            if d.digest in seen or not d.is_document or not self.has(d):
                continue
            seen.add(d.digest)
            document = fetch(self, d)
            yield document
            if isinstance(document, Index):
                pending += document.manifests


def _read_only(message: str) -> StoreReadOnly:
    return StoreReadOnly(f"{message}: it can only be read", side="file", hint="write a new one")


class _OnFile(VerifyingReader):
    """A verifying reader whose complaints name the file as the side that is wrong."""

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        try:
            return super().readinto(buffer)
        except ContentError as error:
            raise error.at("file") from None
