"""Moving bytes from a stream into a file while they are hashed.

Reading, hashing and writing are each done in C without the interpreter's lock. For large content a
second thread hashes while this one reads and writes, so that the slower of the two sets the pace.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, Protocol

from killick.digest import CHUNK, Bytes, Verifier, chunks
from killick.errors import DigestMismatch
from killick.store import durable

PIPELINE_FROM = 4 * 1024 * 1024
_BUFFERS = 8
FLUSH_EVERY = 32 * 1024 * 1024

Pulse = Callable[[], None]


class Sink(Protocol):
    """Where verified bytes go: a file open for writing, and its name for errors."""

    @property
    def descriptor(self) -> int:
        """The open file."""
        ...

    @property
    def path(self) -> Path:
        """Its name."""
        ...


class Fed(Protocol):
    """A hash or a verifier."""

    def update(self, data: Bytes, /) -> None:
        """Take the next bytes."""


def receive(source: BinaryIO, sink: Sink, verifier: Verifier, pulse: Pulse) -> None:
    """Write all of `source` to `sink` and feed it to `verifier`; `pulse` is called now and then.

    Raises:
        DigestMismatch: more came than the verifier allows.
        StoreError: the file can't be written.
    """
    size = verifier.size
    if size is not None and size - verifier.seen >= PIPELINE_FROM:
        _piped(source, sink, verifier, pulse)
        return
    for piece in chunks(source):
        verifier.update(piece)
        durable.write(sink.descriptor, piece, sink.path)
        pulse()


def rehash(sink: Sink, fed: Fed) -> None:
    """Feed what the file holds to a hash or a verifier.

    Raises:
        DigestMismatch: it is more than a verifier allows.
        StoreError: the file can't be read.
    """
    buffer = memoryview(bytearray(CHUNK))
    position = 0
    with durable.translated(sink.path):
        while count := os.preadv(sink.descriptor, [buffer], position):
            fed.update(buffer[:count])
            position += count


def _piped(source: BinaryIO, sink: Sink, verifier: Verifier, pulse: Pulse) -> None:
    allowed = (verifier.size or 0) - verifier.seen
    unflushed = 0
    with _Hashing(verifier) as hashing:
        for piece in hashing.pieces(source):
            allowed -= len(piece)
            hashing.take(piece)
            if allowed < 0:  # the verifier says so
                break
            durable.write(sink.descriptor, piece, sink.path)
            unflushed += len(piece)
            if unflushed >= FLUSH_EVERY:
                end = os.lseek(sink.descriptor, 0, os.SEEK_CUR)
                start_flush(sink.descriptor, end - unflushed, end)
                unflushed = 0
            pulse()


def start_flush(descriptor: int, start: int, end: int) -> None:
    """Let the disk begin on these bytes of a file, so that the fsync at the end is short."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)


class _Hashing:
    """A thread that feeds a verifier, and the ring of buffers between it and the reader."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[memoryview | None] = SimpleQueue()
        self._failure: DigestMismatch | None = None
        self._thread = threading.Thread(target=self._work, name="hashing", daemon=True)

    def __enter__(self) -> _Hashing:
        self._thread.start()
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(CHUNK)))
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._full.put(None)
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def pieces(self, source: BinaryIO) -> Iterator[memoryview]:
        """Yield the pieces of `source`; each must go to `take`, and stays valid one turn longer."""
        read_into = getattr(source, "readinto", None)
        while True:
            buffer = self._free.get()
            if read_into is None:
                buffer = memoryview(source.read(CHUNK))
                count = len(buffer)
            else:
                count = read_into(buffer)
            if not count:
                return
            yield buffer[:count]

    def take(self, piece: memoryview) -> None:
        """Hash a piece, in time."""
        self._full.put(piece)

    def _work(self) -> None:
        while (piece := self._full.get()) is not None:
            if self._failure is None:
                try:
                    self._verifier.update(piece)
                except DigestMismatch as error:
                    self._failure = error
            # A piece shares its buffer; the reader has written it before it asks for the next.
            whole = piece.obj
            self._free.put(memoryview(whole) if isinstance(whole, bytearray) else piece)
