"""Upload sessions: content that comes in pieces before its digest is known.

A session is one file, named by a random identifier and by its repository, so that any process can
go on with it. `hashlib` can't save its state: a process remembers the hash of what it has written
itself, and where that is not the whole file, the file is hashed again in the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from killick.digest import CANONICAL, Bytes, Digest, Hasher, Verifier
from killick.errors import Conflict, ContentError, UploadUnknown
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import durable, locks
from killick.store.context import Context
from killick.store.intake import Intake, OpenFile
from killick.store.receive import FLUSH_EVERY, rehash, start_flush

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_MOST_REMEMBERED = 256


class _State(NamedTuple):
    size: int
    hasher: Hasher
    algorithm: str


class Remembered:
    """The hashes of what this process wrote to upload sessions: how far, and the hash up to there.

    The oldest is forgotten where there are too many; that session is hashed again in the end.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._states: dict[Path, _State] = {}

    def start(self, path: Path, algorithm: str) -> None:
        """Remember an empty session, whose digest is likely to be of this algorithm.

        Raises:
            UnverifiableDigest: the algorithm can't be computed.
        """
        self._keep(path, _State(0, Digest(algorithm, "").hasher(), algorithm))

    def wrote(self, path: Path, position: int, data: Bytes) -> None:
        """Take in that `data` was written at `position`."""
        with self._mutex:
            state = self._states.pop(path, None)
        if state is not None and state.size == position:
            state.hasher.update(data)
            self._keep(path, state._replace(size=position + len(data)))

    def take(self, path: Path, size: int) -> Digest | None:
        """Return the digest of the session's `size` bytes if it is known, and forget it."""
        with self._mutex:
            state = self._states.pop(path, None)
        if state is None or state.size != size:
            return None
        return Digest(state.algorithm, state.hasher.hexdigest())

    def _keep(self, path: Path, state: _State) -> None:
        with self._mutex:
            self._states[path] = state
            if len(self._states) > _MOST_REMEMBERED:
                del self._states[next(iter(self._states))]


class StoreUpload:
    """One upload session of a repository."""

    def __init__(self, intake: Intake, remembered: Remembered, repository: str, path: Path) -> None:
        self.id = path.name.partition("-")[0]
        self._intake = intake
        self._remembered = remembered
        self._repository = repository
        self._path = path
        try:
            self.size = path.stat().st_size
        except OSError:
            raise self._unknown() from None

    def write(self, data: Bytes, /) -> None:
        """Append `data`.

        Raises:
            Conflict: somebody else is writing, or has written since this object was made.
            UploadUnknown: the session is gone.
            StoreError: it can't be written.
        """
        self._intake.leases.keep_alive()
        with self._locked() as file:
            os.lseek(file.descriptor, self.size, os.SEEK_SET)
            try:
                durable.write(file.descriptor, data, file.path)
            except BaseException:
                os.ftruncate(file.descriptor, self.size)
                raise
            self._remembered.wrote(file.path, self.size, data)
            before = self.size
            self.size += len(data)
            if before // FLUSH_EVERY < self.size // FLUSH_EVERY:
                start_flush(file.descriptor, before - before % FLUSH_EVERY, self.size)

    def commit(self, digest: Digest | None = None, /) -> Descriptor:
        """Verify what came, make it durable and visible; the session ends.

        Raises:
            DigestMismatch: the bytes are not those of `digest`; the session is gone.
            UnverifiableDigest: the algorithm can't be computed.
            Conflict, UploadUnknown, StoreError: as in `write`.
        """
        with self._locked() as file:
            actual = self._remembered.take(file.path, self.size)
            if digest is None:
                known = actual is not None and actual.algorithm == CANONICAL
                digest = actual if actual is not None and known else _hash(file)
            if digest != actual:
                verifier = Verifier(digest, self.size)
                try:
                    rehash(file, verifier)
                    verifier.finish()
                except ContentError:
                    durable.remove(file.path)
                    raise
            d = Descriptor(BLOB_TYPE, digest, self.size)
            self._intake.finish(self._repository, d, None, file)
            return d

    def cancel(self) -> None:
        """Forget the session."""
        self._remembered.take(self._path, 0)
        durable.remove(self._path)

    @contextmanager
    def _locked(self) -> Iterator[OpenFile]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._unknown() from None
        except OSError as error:
            raise durable.translate(error, self._path) from error
        try:
            if not locks.try_exclusive(descriptor):
                raise Conflict(f"another request is writing to upload {self.id}")
            if os.fstat(descriptor).st_size != self.size:
                raise Conflict(f"another request has written to upload {self.id}")
            yield OpenFile(self._path, descriptor)
        finally:
            os.close(descriptor)

    def _unknown(self) -> UploadUnknown:
        return UploadUnknown(
            f"{self._repository} has no upload {self.id}", hint="begin a new upload"
        )


def _hash(file: OpenFile) -> Digest:
    state = hashlib.sha256()
    rehash(file, state)
    return Digest("sha256", state.hexdigest())


class UploadSessions:
    """The upload sessions of a store."""

    def __init__(self, context: Context, intake: Intake) -> None:
        self._places = context.places
        self._intake = intake
        self._remembered = Remembered()

    def begin(self, repository: str, algorithm: str = CANONICAL) -> StoreUpload:
        """Start a session, whose digest is likely to be of this algorithm.

        Raises:
            UnverifiableDigest: the algorithm can't be computed.
            StoreError: its file can't be made.
        """
        self._intake.begin()
        path = self._path(repository, secrets.token_hex(16))
        self._remembered.start(path, algorithm)
        os.close(durable.open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        return StoreUpload(self._intake, self._remembered, repository, path)

    def find(self, repository: str, identifier: str) -> StoreUpload:
        """Return a session of the repository.

        Raises:
            UploadUnknown: there is none such.
        """
        self._intake.begin()
        if not _IDENTIFIER.fullmatch(identifier):
            raise UploadUnknown(f"{repository} has no such upload", hint="begin a new upload")
        path = self._path(repository, identifier)
        return StoreUpload(self._intake, self._remembered, repository, path)

    def _path(self, repository: str, identifier: str) -> Path:
        of = hashlib.sha256(repository.encode()).hexdigest()
        return self._places.uploads / f"{identifier}-{of}"
