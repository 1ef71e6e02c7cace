"""An OCI layout in a directory: `oci-layout`, `index.json` and `blobs/<algorithm>/<digits>`.

Blobs are written beside the tree, checked, and only then renamed into it; `index.json` is replaced
as a whole, under a lock on the directory, so that many threads and processes can write at once.
Readers need no lock. See `killick.layout.entries` for how images are named.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from killick import strictjson
from killick.digest import Digest, Verifier, chunks, verify
from killick.errors import (
    ContentError,
    KillickError,
    NotFound,
    StoreError,
    Unsupported,
)
from killick.files import TEMPORARY, make_dirs, replace_file, replacing, translating
from killick.layout.entries import MOST_BYTES, UNNAMED, Entries, Entry, repository_name
from killick.layout.view import LayoutView
from killick.manifest import (
    MOST_DOCUMENT_BYTES,
    Descriptor,
    Index,
    parse_document,
)
from killick.names import Tag
from killick.transfer import fetch

VERSION = "1.0.0"
VERSION_FILE = "oci-layout"
INDEX_FILE = "index.json"
VERSION_BYTES = json.dumps({"imageLayoutVersion": VERSION}).encode()
_OWN = {"blobs", INDEX_FILE, VERSION_FILE}


class LayoutRepository(LayoutView):
    """One repository of a layout directory: a `Repository`, with `Referrers` and `Knowing`."""

    def __init__(self, folder: Folder, name: str) -> None:
        super().__init__(folder, name)
        self._folder = folder

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Take the content, verified; a manifest gets an entry in `index.json` as well.

        Raises:
            DigestMismatch, ContentError, UnverifiableDigest: see `Content.put`.
        """
        if not d.is_document:
            self._folder.write(d, source)
            return
        raw = source.read(min(d.size, MOST_DOCUMENT_BYTES) + 1)
        verify(raw, d.digest, d.size)
        document = parse_document(raw, d.media_type, d.digest)
        self._folder.write(d, BytesIO(raw))
        self._folder.change(lambda entries: entries.with_document(document))

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at a manifest that is here.

        Raises:
            ManifestUnknown: it is not here.
        """
        found = self.resolve(d.digest)
        below = self._below(found)
        self._folder.change(
            lambda entries: entries.without_unnamed(below).with_tag(self.name, name, found)
        )

    def untag(self, name: Tag, /) -> None:
        """Remove a tag; the image stays, without a name.

        Raises:
            TagUnknown: there is no such tag.
        """
        self._folder.change(lambda entries: entries.without_tag(self.name, name))

    def _below(self, d: Descriptor) -> set[Digest]:
        """Return what needs no entry because the index `d` leads to it."""
        found: set[Digest] = set()
        pending = [d]
        while pending:
            document = fetch(self, pending.pop())
            if isinstance(document, Index):
                fresh = [c for c in document.manifests if c.digest not in found]
                found |= {c.digest for c in fresh}
                pending += [c for c in fresh if c.is_index and self.has(c)]
        return found


class Layout(LayoutRepository):
    """The layout in directory `path`: a `Registry`, and the repository of its bare tags.

    With `create`, an empty or missing directory becomes a layout.

    Raises:
        NotFound: there is no directory `path`.
        ContentError, Unsupported: it is no layout that can be read.
        StoreError: it can't be read or made; it holds other things.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        folder = Folder(path)
        if create:
            folder.make()
        folder.check()
        super().__init__(folder, UNNAMED)
        self.path = path

    def repository(self, name: str, /) -> LayoutRepository:
        """Return the repository with the full name `name`; "" is the one of bare tags.

        Raises:
            BadReference: it is no name of a repository.
        """
        return LayoutRepository(self._folder, repository_name(name))

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the full names of the repositories (after `after`), in ASCII order."""
        yield from self._folder.entries().repositories(after)

    def images(self) -> tuple[Entry, ...]:
        """Return what `index.json` lists, in its order."""
        return self._folder.entries().entries

    def named(self, text: str) -> Descriptor:
        """Return the image that `text` names: a tag, a full name, other label; "" the only one.

        Raises:
            ManifestUnknown, TagUnknown: there is no such image.
            Conflict: several images are meant; the hint lists them.
        """
        return self._folder.entries().named(text)


class Folder:
    """The files of a layout directory (the `Blobs` of its views), and how they change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, ...], Entries] | None = None
        self._mutex = threading.Lock()

    def make(self) -> None:
        """Make the directory a layout, unless it is one; nothing else may be in it."""
        with translating(f"make the OCI layout {self.path}"):
            make_dirs(self.path)
            if (self.path / VERSION_FILE).exists():
                return
            strangers = [p for p in self.path.iterdir() if not _is_own(p.name)]
            if strangers:
                raise StoreError(
                    f"{self.path} is no OCI layout, and holds other files",
                    side="file",
                    hint="name a new or an empty directory",
                )
            with self._locked():
                make_dirs(self.path / "blobs")
                if not (self.path / INDEX_FILE).exists():
                    replace_file(self.path / INDEX_FILE, Entries().to_bytes())
                replace_file(self.path / VERSION_FILE, VERSION_BYTES)

    def check(self) -> None:
        """Look whether this is a layout that can be read.

        Raises:
            NotFound, ContentError, Unsupported, StoreError: it is not.
        """
        if not self.path.is_dir():
            raise NotFound(f"there is no directory {self.path}", side="file")
        check_version(self._file(VERSION_FILE, 4096), str(self.path))
        self.entries()

    def entries(self) -> Entries:
        """Return what index.json says now."""
        with self._mutex, translating(f"read {self.path / INDEX_FILE}"):
            try:
                found = (self.path / INDEX_FILE).stat()
            except FileNotFoundError:
                raise ContentError(f"{self.path} has no {INDEX_FILE}", side="file") from None
            state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            if self._read is None or self._read[0] != state:
                self._read = state, self._parsed()
            return self._read[1]

    def _parsed(self) -> Entries:
        return Entries.parse(self._file(INDEX_FILE, MOST_BYTES))

    def size(self, digest: Digest, /) -> int | None:
        """Return the size of a blob, None if it is not there."""
        with translating(f"look for {digest} in {self.path}"):
            try:
                found = self._path(digest).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def stream(self, digest: Digest, /) -> BinaryIO | None:
        """Return the bytes of a blob as they lie there, None if it is not there."""
        with translating(f"read {digest} in {self.path}"):
            try:
                return _open_regular(self._path(digest))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, d: Descriptor, source: BinaryIO) -> None:
        """Make a blob of what `source` gives, if it is the content of `d`."""
        verifier = Verifier(d.digest, d.size)
        path = self._path(d.digest)
        doing = f"write {d.digest} to {self.path}"
        with translating(doing):
            make_dirs(path.parent)
            with replacing(path, self.path) as file:
                for piece in chunks(source):
                    verifier.update(piece)
                    file.write(piece)
                verifier.finish()

    def change(self, how: Callable[[Entries], Entries]) -> None:
        """Replace index.json by what `how` makes of it, alone."""
        with translating(f"write {self.path / INDEX_FILE}"), self._locked():
            before = self._parsed()
            after = how(before)
            if after != before:
                replace_file(self.path / INDEX_FILE, after.to_bytes())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _path(self, digest: Digest) -> Path:
        return self.path / "blobs" / digest.algorithm / digest.encoded

    def _file(self, name: str, most: int) -> bytes:
        """Return the content of a file of the layout, one byte more than `most` at most."""
        with translating(f"read {self.path / name}"):
            try:
                with _open_regular(self.path / name) as file:
                    return file.read(most + 1)
            except FileNotFoundError:
                raise ContentError(
                    f"{self.path} is no OCI layout: it has no file {name}", side="file"
                ) from None


def check_version(raw: bytes, what: str) -> None:
    """Check the content of the file `oci-layout` of the layout `what`.

    Raises:
        ContentError: it is not such a file.
        Unsupported: a version that is not known here.
    """
    try:
        fields: Any = strictjson.loads(raw, f"{VERSION_FILE} of {what}")
    except KillickError as error:
        raise error.at("file") from None
    version = fields.get("imageLayoutVersion") if isinstance(fields, dict) else None
    if not isinstance(version, str):
        raise ContentError(f"{VERSION_FILE} of {what} states no version", side="file")
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise Unsupported(f"{what} is an OCI layout of version {version[:20]!r}", side="file")


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(TEMPORARY)


def _open_regular(path: Path) -> BinaryIO:
    """Open a file that is one: neither a directory nor a pipe that would make us wait."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(fd, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file")
    return file
