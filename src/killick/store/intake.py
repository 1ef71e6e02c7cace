"""Taking content in: whole (`put`), by adoption from a sister, or from a finished file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from killick.digest import Verifier, chunks
from killick.errors import LimitExceeded
from killick.manifest import MOST_DOCUMENT_BYTES, Descriptor, Document, parse_document
from killick.store import durable, locks
from killick.store.blobs import Blobs, Held, Shape
from killick.store.commit import Arrival, Committer
from killick.store.context import Context
from killick.store.leases import Leases
from killick.store.receive import receive


@dataclass(frozen=True)
class OpenFile:
    """A file being written, and its name."""

    path: Path
    descriptor: int


class Intake:
    """The ways in, for all repositories of a store."""

    def __init__(self, context: Context, blobs: Blobs, leases: Leases) -> None:
        self._context = context
        self._blobs = blobs
        self._committer = Committer(context, blobs)
        self.leases = leases

    def begin(self) -> None:
        """Get ready to take something in.

        Raises:
            StoreReadOnly: the store was opened for reading only.
        """
        self._context.database.check_writable()
        self.leases.use()

    def put(self, repository: str, d: Descriptor, source: BinaryIO) -> None:
        """Take the whole of `source` as the content of `d`.

        Raises:
            DigestMismatch, ContentError, UnverifiableDigest: it is not, and nothing was kept.
            StoreError: it can't be written.
        """
        self.begin()
        verifier = Verifier(d.digest, d.size)
        document = None
        if d.is_document:
            raw = _read_document(source, d, verifier)
            document = parse(raw, d)
            source, verifier = BytesIO(raw), Verifier(d.digest, d.size)
        with self._temporary() as file:
            receive(source, file, verifier, self.leases.keep_alive)
            verifier.finish()
            self.finish(repository, d, document, file)

    def finish(
        self, repository: str, d: Descriptor, document: Document | None, file: OpenFile
    ) -> None:
        """Make a written and verified file visible as the content of `d`; its name goes.

        Content that is here, and known to be good, is not written again.

        Raises:
            StoreError: it did not become visible.
        """
        held = self._held(d)
        if held and self._blobs.is_good(held) and self.adopt(repository, d, document):
            durable.remove(file.path)
            return
        durable.sync(file.descriptor, file.path)
        self._commit(Arrival(repository, d, document, file.path))

    def adopt(self, repository: str, d: Descriptor, document: Document | None = None) -> bool:
        """Make content that the store has visible in a repository; False if it has it not."""
        arrival = Arrival(repository, d, document)
        self._commit(arrival)
        return not arrival.gone

    def adopt_checked(self, repository: str, d: Descriptor) -> bool:
        """Make content that the store has, and that is good, visible in a repository.

        Raises:
            ContentError: `d` says manifest or index, and the content is none that is acceptable.
        """
        held = self._held(d)
        if held is None and self._blobs.path(d.digest).exists():
            # It has its name, but no row yet: wait until no commit is under way.
            with locks.exclusive(self._context.places.commit_lock):
                held = self._held(d)
        if held is None or not (self._blobs.is_good(held) or self._blobs.check(held)):
            return False
        document = None
        if d.is_document:
            stream = self._blobs.open(held)
            if stream is None:
                return False
            with closing(stream):
                document = parse(_read_document(stream, d, Verifier(d.digest, d.size)), d)
        return self.adopt(repository, d, document)

    def _commit(self, arrival: Arrival) -> None:
        self._committer.commit(arrival)
        if not arrival.gone:
            self.leases.touch(arrival.member, str(arrival.descriptor.digest))

    def _held(self, d: Descriptor) -> Held | None:
        with self._context.database.reading() as connection:
            row = connection.execute(
                "SELECT inode, size, mtime, ctime, verified FROM blob"
                " WHERE digest = ? AND size = ? AND damaged = 0",
                (str(d.digest), d.size),
            ).fetchone()
        return None if row is None else Held(d.digest, Shape(*row[:4]), row[4])

    @contextmanager
    def _temporary(self) -> Iterator[OpenFile]:
        path, descriptor = durable.create(self._context.places.temporary)
        try:
            yield OpenFile(path, descriptor)
        except BaseException:
            durable.remove(path)
            raise
        finally:
            os.close(descriptor)


def _read_document(source: BinaryIO, d: Descriptor, verifier: Verifier) -> bytes:
    if d.size > MOST_DOCUMENT_BYTES:
        raise LimitExceeded(
            f"{d.digest} has {d.size} bytes, and {MOST_DOCUMENT_BYTES} are allowed", side="remote"
        )
    pieces = []
    for piece in chunks(source):
        verifier.update(piece)
        pieces.append(bytes(piece))
    verifier.finish()
    return b"".join(pieces)


def parse(raw: bytes, d: Descriptor) -> Document:
    """Return the document `raw`, which is `d`, with all that its rows need looked at.

    Raises:
        ContentError: it is none that is acceptable.
    """
    document = parse_document(raw, d.media_type)
    _ = document.subject, document.annotations
    return document


def is_short(verifier: Verifier) -> bool:
    """Whether too few bytes came (they may be right as far as they go)."""
    return verifier.size is not None and verifier.seen < verifier.size
