"""Archives to write: an OCI layout in a tar, made in one stream while images are copied into it.

Blobs are appended as they come, one at a time; the files that name them come last. The archive
takes its place under its name when all of it is durable, and not at all if anything fails. The
same images, copied in the same order by one job, make the same bytes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from killick.digest import Digest, Verifier, chunks, verify
from killick.errors import ManifestUnknown
from killick.files import replacing, translating
from killick.layout.directory import INDEX_FILE, VERSION_BYTES, VERSION_FILE
from killick.layout.docker import MANIFEST_FILE
from killick.layout.entries import UNNAMED, Entries, repository_name
from killick.layout.moves import LEDGER_FILE, to_lines
from killick.layout.tarfiles import window
from killick.layout.view import LayoutView
from killick.manifest import MOST_DOCUMENT_BYTES, Descriptor, Index, parse_document
from killick.names import Reference, Tag
from killick.platforms import Platform
from killick.repository import Move
from killick.tarball import END, header, padding
from killick.transfer import fetch


class ArchiveRepository(LayoutView):
    """One repository of an archive that is being written: a `Repository` to copy into."""

    def __init__(self, output: _Output, name: str) -> None:
        super().__init__(output, name)
        self._output = output

    def put(self, d: Descriptor, source: BinaryIO, /) -> None:
        """Append the content, verified, unless it is there.

        Raises:
            DigestMismatch, ContentError, UnverifiableDigest: see `Content.put`.
        """
        if not d.is_document:
            self._output.append(d, source)
            return
        raw = source.read(min(d.size, MOST_DOCUMENT_BYTES) + 1)
        verify(raw, d.digest, d.size)
        document = parse_document(raw, d.media_type, d.digest)
        self._output.append(d, BytesIO(raw))
        with self._output.lock:
            self._output.listed = self._output.listed.with_document(document)

    def tag(self, name: Tag, d: Descriptor, /) -> None:
        """Point a tag at a manifest that is here.

        Raises:
            ManifestUnknown: it is not here.
        """
        if not self.has(d):
            raise ManifestUnknown(f"the archive has no manifest {d.digest}", side="file")
        with self._output.lock:
            self._output.listed = self._output.listed.with_tag(self.name, name, d)

    def untag(self, name: Tag, /) -> None:
        """Remove a tag; the image stays.

        Raises:
            TagUnknown: there is no such tag.
        """
        with self._output.lock:
            self._output.listed = self._output.listed.without_tag(self.name, name)


class ArchiveWriter(ArchiveRepository):
    """A new archive at `path`: a `Registry` to copy into, and the repository of bare tags.

    Use it in a `with` statement: the archive is there when the block ends without an error. With
    `docker`, a `manifest.json` for the images of that platform lets every docker load it (Docker
    before 25 knows nothing else); the OCI layout, and so the digests, are the same.

    Raises:
        StoreError: it can't be written.
        PlatformUnknown: (at the end) an image has nothing for `docker`.
    """

    def __init__(self, path: Path, docker: Platform | None = None) -> None:
        self._docker = docker
        self._moves: list[Move] = []
        self._stack = ExitStack()
        self._doing = f"write {path}"
        with translating(self._doing):
            super().__init__(_Output(self._stack.enter_context(replacing(path))), UNNAMED)

    def repository(self, name: str, /) -> ArchiveRepository:
        """Return the repository with the full name `name`; "" is the one of bare tags.

        Raises:
            BadReference: it is no name of a repository.
        """
        return ArchiveRepository(self._output, repository_name(name))

    def repositories(self, after: str = "", /) -> Iterator[str]:
        """Yield the full names of the repositories (after `after`), in ASCII order."""
        yield from self._output.listed.repositories(after)

    def record(self, moves: Iterable[Move]) -> None:
        """Let moves of the saved tags travel along."""
        self._moves += moves

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, at)
            return
        with translating(self._doing), self._stack:
            self._finish()

    def _finish(self) -> None:
        output = self._output
        if self._moves:
            output.add(LEDGER_FILE, to_lines(self._moves))
        if self._docker is not None:
            output.add(MANIFEST_FILE, json.dumps(self._for_docker(self._docker)).encode())
        output.add(INDEX_FILE, output.listed.to_bytes())
        output.add(VERSION_FILE, VERSION_BYTES)
        output.file.write(END)

    def _for_docker(self, platform: Platform) -> list[dict[str, Any]]:
        found: dict[Digest, dict[str, Any]] = {}
        for entry in self._output.listed.entries:
            document = fetch(self, entry.descriptor)
            while isinstance(document, Index):
                document = fetch(self, document.select(platform))
            if not document.is_image:
                continue
            image = {
                "Config": _path(document.config.digest),
                "RepoTags": [],
                "Layers": [_path(layer.digest) for layer in document.layers],
            }
            if entry.repository and entry.tag:
                name = Reference.parse(f"{entry.repository}:{entry.tag}")
                found.setdefault(document.digest, image)["RepoTags"].append(name.familiar)
            else:
                found.setdefault(document.digest, image)
        return list(found.values())


class _Output:
    """The tar so far (the `Blobs` of its views)."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.lock = threading.RLock()
        self.listed = Entries()
        self._places: dict[Digest, tuple[int, int]] = {}

    def entries(self) -> Entries:
        return self.listed

    def size(self, digest: Digest, /) -> int | None:
        place = self._places.get(digest)
        return place[1] if place else None

    def stream(self, digest: Digest, /) -> BinaryIO | None:
        place = self._places.get(digest)
        return window(self.file, *place) if place else None

    def append(self, d: Descriptor, source: BinaryIO) -> None:
        """Append a blob; if that fails the tar is as it was."""
        verifier = Verifier(d.digest, d.size)
        with self.lock, translating("write the archive"):
            if d.digest in self._places:
                return
            start = self.file.tell()
            head = header(_path(d.digest), d.size)
            try:
                self.file.write(head)
                for piece in chunks(source):
                    verifier.update(piece)
                    self.file.write(piece)
                verifier.finish()
                self.file.write(padding(d.size))
                self.file.flush()
            except BaseException:
                self.file.seek(start)
                self.file.truncate()
                raise
            self._places[d.digest] = start + len(head), d.size

    def add(self, name: str, content: bytes) -> None:
        """Append a file that is no blob."""
        self.file.write(header(name, len(content)) + content + padding(len(content)))


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"
