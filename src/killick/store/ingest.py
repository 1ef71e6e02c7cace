"""Resumable content: one file a digest in `partial/`, locked by whoever is at work on it.

What a file holds when its writer fails, is killed or loses power is gone on with by the next, in
this process or another; in the end the whole is hashed, whoever wrote which part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from killick.digest import Verifier
from killick.errors import ContentError
from killick.manifest import Descriptor
from killick.store import durable, locks
from killick.store.context import Context
from killick.store.intake import Intake, OpenFile, is_short, parse
from killick.store.receive import receive, rehash


class StoreIngest:
    """Content on its way into a repository; `done` says that it is there."""

    def __init__(
        self, intake: Intake, repository: str, d: Descriptor, file: OpenFile | None
    ) -> None:
        self._intake = intake
        self._repository = repository
        self._descriptor = d
        self._file = file
        self.done = file is None
        self.offset = d.size if file is None else os.fstat(file.descriptor).st_size

    def fill(self, source: BinaryIO, /) -> None:
        """Append all of `source`, verify the whole, and make it visible.

        If reading fails or ends early, what came is kept.

        Raises:
            DigestMismatch: the bytes are wrong (what was held is dropped), or too few (it is kept).
            ContentError: the content is no document that is acceptable.
            StoreError: it can't be written.
        """
        file, d = self._file, self._descriptor
        if file is None:
            return
        verifier = Verifier(d.digest, d.size)
        try:
            if self.offset:
                rehash(file, verifier)
            os.lseek(file.descriptor, self.offset, os.SEEK_SET)
            receive(source, file, verifier, self._intake.leases.keep_alive)
            verifier.finish()
            self._finish(file)
        except ContentError:
            if not is_short(verifier):
                os.ftruncate(file.descriptor, 0)
            raise
        finally:
            self.offset = os.fstat(file.descriptor).st_size
        self.done = True

    def _finish(self, file: OpenFile) -> None:
        d = self._descriptor
        document = None
        if d.is_document:
            document = parse(os.pread(file.descriptor, d.size, 0), d)
        self._intake.finish(self._repository, d, document, file)


@contextmanager
def ingest(
    context: Context, intake: Intake, repository: str, d: Descriptor
) -> Iterator[StoreIngest]:
    """Give the one place where `d` comes in; waits while somebody else is at it.

    Raises:
        UnverifiableDigest: the algorithm can't be computed.
        StoreError: the place can't be made.
    """
    d.digest.hasher()
    intake.begin()
    if intake.adopt_checked(repository, d):
        yield StoreIngest(intake, repository, d, None)
        return
    path = context.places.partial / f"{d.digest.algorithm}-{d.digest.encoded}"
    descriptor = locks.open_alone(path, intake.leases.keep_alive)
    held = StoreIngest(intake, repository, d, OpenFile(path, descriptor))
    try:
        if held.offset > d.size:
            os.ftruncate(descriptor, 0)
            held.offset = 0
        if intake.adopt_checked(repository, d):
            os.ftruncate(descriptor, 0)
            yield StoreIngest(intake, repository, d, None)
        else:
            yield held
    finally:
        if not held.done and os.fstat(descriptor).st_size == 0:
            durable.remove(path)
        os.close(descriptor)
