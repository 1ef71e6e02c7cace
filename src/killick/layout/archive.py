"""Archives to read: an OCI layout in a tar, or what older `docker save` wrote.

The tar is read in place: its headers once, then each blob as a part of the file. A compressed
archive, or one that comes through a pipe, is unpacked to a temporary file first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from killick.digest import Digest
from killick.errors import ContentError
from killick.layout.directory import INDEX_FILE, VERSION_FILE, check_version
from killick.layout.docker import MANIFEST_FILE, DockerBlobs
from killick.layout.entries import MOST_BYTES, UNNAMED, Entries, Entry, repository_name
from killick.layout.moves import LEDGER_FILE, MOST_LEDGER_BYTES, from_lines
from killick.layout.tarfiles import TarFiles
from killick.layout.view import Blobs, LayoutView
from killick.manifest import Descriptor
from killick.repository import Move


class Archive(LayoutView):
    """An archive to read from: a `Registry`, and the repository of its bare tags. Close it.

    Raises:
        NotFound: there is no such file.
        ContentError, LimitExceeded, Unsupported: it is no archive of images, or a hostile one.
        StoreError: it can't be read.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        self._tar = TarFiles(source)
        try:
            super().__init__(_blobs(self._tar), UNNAMED)
        except BaseException:
            self._tar.close()
            raise

    def repository(self, name: str, /) -> LayoutView:
        """Return the repository with the full name `name`; "" is the one of bare tags.

        Raises:
            BadReference: it is no name of a repository.
        """
        return LayoutView(self._blobs, repository_name(name))

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the full names of the repositories (after `after`), in ASCII order."""
        yield from self._blobs.entries().repositories(after)

    def images(self) -> tuple[Entry, ...]:
        """Return the images of the archive with their names, in its order."""
        return self._blobs.entries().entries

    def named(self, text: str) -> Descriptor:
        """Return the image that `text` names: a tag, a full name, other label; "" the only one.

        Raises:
            ManifestUnknown, TagUnknown: there is no such image.
            Conflict: several images are meant; the hint lists them.
        """
        return self._blobs.entries().named(text)

    def moves(self) -> Iterator[Move]:
        """Yield the ledger that came along, oldest first in each repository; none is no error.

        Raises:
            ContentError, LimitExceeded: (from iterating) it is damaged.
        """
        yield from from_lines(self._tar.read(LEDGER_FILE, MOST_LEDGER_BYTES) or b"")

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def read_archive(source: Path | BinaryIO) -> Archive:
    """Return the archive in a file, or in a stream that is read to its end at once.

    Raises: as `Archive`.
    """
    return Archive(source)


class _TarBlobs:
    """The blobs of an OCI layout in a tar."""

    def __init__(self, tar: TarFiles) -> None:
        self._tar = tar
        check_version(tar.read(VERSION_FILE, 4096) or b"", "the archive")
        self._entries = Entries.parse(tar.read(INDEX_FILE, MOST_BYTES) or b"")

    def entries(self) -> Entries:
        return self._entries

    def size(self, digest: Digest, /) -> int | None:
        member = self._tar.find(_path(digest))
        return member.size if member else None

    def stream(self, digest: Digest, /) -> BinaryIO | None:
        member = self._tar.find(_path(digest))
        return self._tar.open(member) if member else None


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _blobs(tar: TarFiles) -> Blobs:
    if tar.find(VERSION_FILE) and tar.find(INDEX_FILE):
        return _TarBlobs(tar)
    if tar.find(MANIFEST_FILE):
        return DockerBlobs(tar)
    raise ContentError(
        "the file is neither an OCI archive nor a docker archive",
        side="file",
        hint="for the tar of a root file system there is killick import",
    )
