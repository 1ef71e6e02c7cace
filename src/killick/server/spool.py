"""Uploads to repositories that take only whole content: gathered in temporary files first.

This is how a server runs over a remote registry, or over a layout. Unlike a store's own uploads,
these live in one process, and end with it.
"""

from __future__ import annotations

import errno
import threading
import time
from secrets import token_hex
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from killick.bounds import bound
from killick.digest import CANONICAL, Bytes, Digest, chunks, digest_of
from killick.errors import KillickError, StoreError, StoreFull, UploadUnknown
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE, Content, Upload, Uploads

MOST_UPLOADS = bound(1000, "uploads", "uploads at once to what is no store")
LIFETIME = 3600.0
_IN_MEMORY = 1024 * 1024


class Spool:
    """The uploads under way of all repositories that have no `Uploads` of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: dict[tuple[str, str], _SpooledUpload] = {}

    def at(self, name: str, repository: Content) -> Uploads:
        """Return the uploads to `repository`, called `name`."""
        return _SpooledUploads(self, name, repository)

    def add(self, name: str, upload: _SpooledUpload) -> None:
        """Take a new upload, and drop those that nobody went on with.

        Raises:
            KillickError: there are too many.
        """
        with self._lock:
            for key, old in list(self._uploads.items()):
                if time.monotonic() - old.touched > LIFETIME:
                    del self._uploads[key]
                    old.close()
            if len(self._uploads) >= MOST_UPLOADS:
                upload.close()
                raise KillickError("too many uploads are under way")
            self._uploads[name, upload.id] = upload

    def find(self, name: str, identifier: str) -> _SpooledUpload:
        """Return an upload to the repository `name`, or raise `UploadUnknown`."""
        with self._lock:
            found = self._uploads.get((name, identifier))
        if found is None:
            raise UploadUnknown(f"{name} has no upload {identifier}")
        return found

    def drop(self, name: str, identifier: str) -> None:
        """Forget an upload."""
        with self._lock:
            found = self._uploads.pop((name, identifier), None)
        if found is not None:
            found.close()

    def close(self) -> None:
        """Forget all uploads."""
        with self._lock:
            for upload in self._uploads.values():
                upload.close()
            self._uploads.clear()


class _SpooledUploads:
    def __init__(self, spool: Spool, name: str, repository: Content) -> None:
        self.spool = spool
        self.name = name
        self.repository = repository

    def begin(self, algorithm: str = CANONICAL, /) -> Upload:
        Digest.of(b"", algorithm)
        upload = _SpooledUpload(self)
        self.spool.add(self.name, upload)
        return upload

    def upload(self, identifier: str, /) -> Upload:
        return self.spool.find(self.name, identifier)


class _SpooledUpload:
    def __init__(self, home: _SpooledUploads) -> None:
        self.id = token_hex(16)
        self.size = 0
        self.touched = time.monotonic()
        self._home = home
        self._lock = threading.Lock()
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it lives from call to call; the spool closes it

    def write(self, data: Bytes, /) -> None:
        with self._lock:
            self._check_open()
            try:
                self._file.write(data)
            except OSError as error:
                kind = StoreFull if error.errno == errno.ENOSPC else StoreError
                raise kind(f"an upload can't be kept ({error.strerror})") from None
            self.size += len(data)
            self.touched = time.monotonic()

    def commit(self, digest: Digest | None = None, /) -> Descriptor:
        source = cast("BinaryIO", self._file)
        with self._lock:
            self._check_open()
            try:
                source.seek(0)
                found = digest or digest_of(chunks(source))[0]
                source.seek(0)
                d = Descriptor(BLOB_TYPE, found, self.size)
                self._home.repository.put(d, source)
            finally:
                self.cancel()
        return d

    def cancel(self) -> None:
        self._home.spool.drop(self._home.name, self.id)

    def close(self) -> None:
        self._file.close()

    def _check_open(self) -> None:
        if self._file.closed:
            raise UploadUnknown(f"the upload {self.id} is over")
