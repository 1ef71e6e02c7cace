"""`copy`: the one way in which images get from anywhere to anywhere.

Pull, push, cp, save and load are all this operation over two repositories. What the target has is
skipped, what it half has is gone on with; every blob goes once, several at a time; children are
there before their parents, and the tag moves last, so that no name ever shows an incomplete image.
Bytes are never rewritten, so digests never change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import SEEK_SET, BytesIO, RawIOBase, UnsupportedOperation
from typing import BinaryIO, Literal, Protocol, cast, runtime_checkable

from killick.digest import CHUNK, Bytes, Digest, is_answered_for, verify
from killick.errors import DigestMismatch, KillickError, LimitExceeded, PlatformUnknown
from killick.manifest import (
    MOST_DOCUMENT_BYTES,
    MOST_INDEX_DEPTH,
    Descriptor,
    Document,
    Index,
    parse_document,
)
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import (
    Cause,
    Content,
    Ingest,
    Knowing,
    Ledger,
    Mountable,
    Repository,
    Resumable,
)

DEFAULT_JOBS = 4
MOST_NODES = 50_000

How = Literal["copied", "exists", "mounted", "failed"]


class Cancelled(KillickError):
    """The copy was told to stop; what had come is kept, and a later copy goes on from there."""

    code = "cancelled"
    exit_status = 130


class Progress(Protocol):
    """What wants to know how a copy goes. Called from several threads."""

    def start(self, d: Descriptor, offset: int, /) -> None:
        """Say that the content of `d` begins to move; `offset` bytes were there already."""

    def advance(self, d: Descriptor, count: int, /) -> None:
        """Say that `count` more bytes moved; fewer than none where some have to move again."""

    def finish(self, d: Descriptor, how: How, /) -> None:
        """Say that `d` is done with."""


@runtime_checkable
class Planning(Protocol):
    """A `Progress` that wants to know beforehand what a copy will look at (capability)."""

    def plan(self, blobs: Sequence[Descriptor], /) -> None:
        """Say which blobs are to be moved, or found to be there, before the first one is."""


class Silence:
    """A `Progress` that says nothing."""

    def start(self, d: Descriptor, offset: int, /) -> None:
        """Ignore it."""

    def advance(self, d: Descriptor, count: int, /) -> None:
        """Ignore it."""

    def finish(self, d: Descriptor, how: How, /) -> None:
        """Ignore it."""


def _no_sisters(_: Descriptor) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Options:
    """How to copy. `platforms` None means all; `sisters` names repositories to mount a blob from.

    `cause` goes into the target's ledger if it keeps one. Setting `cancel` stops the copy at the
    next piece of data with `Cancelled`.
    """

    platforms: tuple[Platform, ...] | None = None
    jobs: int = DEFAULT_JOBS
    progress: Progress = field(default_factory=Silence)
    cause: Cause | None = None
    sisters: Callable[[Descriptor], Iterable[str]] = _no_sisters
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: the root, what was moved and what was there, and whether the tag moved."""

    root: Descriptor
    copied: tuple[Descriptor, ...]
    existed: tuple[Descriptor, ...]
    moved: bool

    @property
    def size(self) -> int:
        """The bytes that were moved."""
        return sum(d.size for d in self.copied)


def copy(
    source: Repository,
    target: Repository,
    root: Descriptor,
    tag: Tag | None = None,
    options: Options | None = None,
) -> Copied:
    """Copy the image `root` of `source`, and point `tag` of `target` at it, if one is given.

    Raises:
        ManifestUnknown, BlobUnknown: something of the image is missing in the source.
        PlatformUnknown: the image has no variant for one of the platforms.
        DigestMismatch, ContentError: what the source gave is not what was asked for.
        LimitExceeded: the image is nested too deep, or has too many parts.
        Cancelled: it was told to stop.
    """
    options = options or Options()
    job = _Copy(source, target, options)
    if not (isinstance(target, Knowing) and options.platforms is None and target.complete(root)):
        documents = list(walk(source, root, options.platforms, skip=job.is_complete))
        blobs = _blobs(documents)
        if isinstance(options.progress, Planning):
            options.progress.plan(blobs)
        job.move_all(blobs)
        for document in documents:
            job.move(document.descriptor, document.raw)
    else:
        job.existed.append(root)
    moved = _point(target, tag, root, options.cause) if tag else False
    return Copied(root, tuple(job.copied), tuple(job.existed), moved)


def walk(
    source: Content,
    root: Descriptor,
    platforms: Sequence[Platform] | None = None,
    skip: Callable[[Descriptor], bool] = lambda _: False,
) -> Iterator[Document]:
    """Yield the manifests and indexes of an image, verified, each once, children before parents.

    With `platforms`, of every index only the children that suit one of them best are gone into.
    Children for which `skip` is true are left out, with all below them.

    Raises:
        PlatformUnknown: an index has nothing for one of the platforms.
        LimitExceeded: nested deeper than 8 indexes, or more than 50,000 parts.
    """
    seen: set[Digest] = set()
    parts = 0

    def visit(d: Descriptor, depth: int) -> Iterator[Document]:
        nonlocal parts
        if d.digest in seen:
            return
        seen.add(d.digest)
        if depth > MOST_INDEX_DEPTH:
            raise LimitExceeded(f"{root.digest} has indexes nested deeper than {MOST_INDEX_DEPTH}")
        document = fetch(source, d)
        parts += len(document.children())
        if parts > MOST_NODES:
            raise LimitExceeded(f"{root.digest} has more than {MOST_NODES} parts")
        if isinstance(document, Index):
            for child in choose(document, platforms):
                if child.is_document and not skip(child):
                    yield from visit(child, depth + 1)
        yield document

    return visit(root, 0)


def choose(index: Index, platforms: Sequence[Platform] | None) -> list[Descriptor]:
    """Return the children of `index` to take for `platforms` (None: all).

    Nested indexes that state no platform are always gone into.
    """
    if platforms is None:
        return list(index.manifests)
    nested = [d for d in index.manifests if d.is_index and d.platform is None]
    chosen = []
    for wanted in platforms:
        try:
            chosen.append(index.select(wanted))
        except PlatformUnknown:
            if not nested:
                raise
    return nested + list(dict.fromkeys(chosen))


def fetch(source: Content, d: Descriptor) -> Document:
    """Return the manifest or index `d`, verified.

    Raises:
        DigestMismatch: its bytes are wrong.
        LimitExceeded: it states more than 4 MiB (nothing is read then).
        ContentError: it is no such document.
    """
    return parse_document(fetch_bytes(source, d, MOST_DOCUMENT_BYTES), d.media_type, d.digest)


def fetch_bytes(source: Content, d: Descriptor, most: int) -> bytes:
    """Return the content of `d`, verified; it must have at most `most` bytes.

    Raises:
        DigestMismatch: its bytes are wrong.
        LimitExceeded: it states more than `most` bytes (nothing is read then).
    """
    if d.size > most:
        raise LimitExceeded(f"{d.digest} has {d.size} bytes, and {most} are allowed", side="remote")
    if d.data is not None:
        return d.data
    with closing(source.open(d)) as stream:
        data = _read(stream, d.size + 1)
    verify(data, d.digest, d.size)
    return data


def _read(stream: BinaryIO, most: int) -> bytes:
    """Return what is left of `stream`, but no more than `most` bytes."""
    pieces = []
    while most > 0 and (data := stream.read(min(most, CHUNK))):
        pieces.append(data)
        most -= len(data)
    return b"".join(pieces)


def _blobs(documents: Iterable[Document]) -> list[Descriptor]:
    """Return the blobs of the documents, each once; foreign layers stay where they are."""
    found: dict[Digest, Descriptor] = {}
    for document in documents:
        for child in document.children():
            if not (isinstance(document, Index) and child.is_document) and not child.is_foreign:
                found.setdefault(child.digest, child)
    return list(found.values())


def _point(target: Repository, tag: Tag, root: Descriptor, cause: Cause | None) -> bool:
    if cause is not None and isinstance(target, Ledger):
        return target.move(tag, root.plain(), cause) is not None
    target.tag(tag, root.plain())
    return True


class _Copy:
    """One copy under way."""

    def __init__(self, source: Content, target: Repository, options: Options) -> None:
        self.source = source
        self.target = target
        self.options = options
        self.copied: list[Descriptor] = []
        self.existed: list[Descriptor] = []

    def is_complete(self, d: Descriptor) -> bool:
        """Whether a child, with all that it needs, need not be looked at."""
        if not (isinstance(self.target, Knowing) and self.target.complete(d)):
            return False
        self.existed.append(d)
        return True

    def move_all(self, blobs: Sequence[Descriptor]) -> None:
        """Move blobs, several at a time; the first failure stops the rest."""
        # Late: an image that is all there needs no threads, and is looked at most often.
        from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

        stop = threading.Event()
        pool = ThreadPoolExecutor(max(1, min(self.options.jobs, len(blobs))), "copy")
        try:
            futures = [pool.submit(self._move_unless, stop, d) for d in blobs]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            stop.set()
            for future in done:
                future.result()
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _move_unless(self, stop: threading.Event, d: Descriptor) -> None:
        if not stop.is_set():
            self.move(d, stop=stop)

    def move(
        self, d: Descriptor, content: bytes | None = None, stop: threading.Event | None = None
    ) -> None:
        """Move one manifest or blob, by the cheapest way there is."""
        how: How = "failed"
        try:
            how = self._move(d, d.data if content is None else content, stop)
        finally:
            self.options.progress.finish(d, how)
        (self.copied if how == "copied" else self.existed).append(d)

    def _move(self, d: Descriptor, content: bytes | None, stop: threading.Event | None) -> How:
        if self.target.has(d):
            return "exists"
        if not d.is_document and self._mounted(d):
            return "mounted"
        if content is None and isinstance(self.target, Resumable):
            return self._resume(self.target, d, stop)
        with self._reading(d, 0, content, stop) as stream:
            self.options.progress.start(d, 0)
            self.target.put(d, stream)
        return "copied"

    def _mounted(self, d: Descriptor) -> bool:
        if not isinstance(self.target, Mountable):
            return False
        return any(self.target.mount(d, sister) for sister in self.options.sisters(d))

    def _resume(self, target: Resumable, d: Descriptor, stop: threading.Event | None) -> How:
        with target.ingest(d) as ingest:
            if ingest.done:
                return "exists"
            held = ingest.offset
            with self._reading(d, held, None, stop) as stream:
                self.options.progress.start(d, held)
                filled = self._filled(ingest, stream, held)
            if not filled:
                self.options.progress.advance(d, -d.size)
                with self._reading(d, 0, None, stop) as stream:
                    ingest.fill(stream)
        return "copied"

    @staticmethod
    def _filled(ingest: Ingest, stream: BinaryIO, held: int) -> bool:
        """Append the stream; False if what was `held` from before may be what is wrong.

        A power cut can leave a file with its length and without its bytes. That is no fault of the
        source's, so the whole is asked for before anybody is blamed.
        """
        try:
            ingest.fill(stream)
        except DigestMismatch:
            if not held or ingest.offset:  # nothing was held, or what came was only too short
                raise
            return False
        return True

    @contextmanager
    def _reading(
        self, d: Descriptor, start: int, content: bytes | None, stop: threading.Event | None
    ) -> Iterator[BinaryIO]:
        stream = self.source.open(d, start) if content is None else BytesIO(content)
        with closing(_Watched(stream, d, self.options, stop)) as watched:
            yield cast("BinaryIO", watched)


class _Watched(RawIOBase):
    """A stream that reports what is read from it, and stops when the copy is told to."""

    def __init__(
        self, stream: BinaryIO, d: Descriptor, options: Options, stop: threading.Event | None
    ) -> None:
        self._read_into = cast("RawIOBase", stream).readinto
        self.answers_for = d.digest if is_answered_for(stream, d.digest) else None
        self._stream = stream
        self._descriptor = d
        self._advance = options.progress.advance
        self._cancels = [e for e in (options.cancel, stop) if e is not None]
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        """Fill `buffer` with the next bytes; 0 at the end."""
        if any(event.is_set() for event in self._cancels):
            raise Cancelled("the copy was stopped", hint="the same command goes on where it was")
        count = self._read_into(buffer) or 0
        self._moved(count)
        return count

    def seekable(self) -> bool:
        """Whether the stream can go back, to be sent again from there."""
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to `offset`, counted from where reading began: the only `whence` there is."""
        if whence != SEEK_SET or not 0 <= offset <= self._position:
            raise UnsupportedOperation("only what was read can be read again")
        self._stream.seek(self._stream.tell() - self._position + offset)
        self._moved(offset - self._position)
        return offset

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def _moved(self, count: int) -> None:
        self._position += count
        self._advance(self._descriptor, count)

    def close(self) -> None:
        """Close the stream as well."""
        if not self.closed:
            self._stream.close()
        super().close()
