"""Durable writes: the one module through which the store makes files last.

The order is always the same: write a temporary file in the same file system, fsync it, rename it to
its final name, fsync the directory. Only then may a database row speak of it. On ext4, XFS and
btrfs every shorter order was seen to lose acknowledged data at a power cut.

A failed fsync is never tried again: the kernel may have dropped the pages and marked them clean, so
that a second fsync would succeed without the data. The file is given up instead.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from killick.digest import Bytes
from killick.errors import StoreError, StoreFull, StoreReadOnly

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

ELSEWHERE = "set KILLICK_STORE to a folder that you may write to"

_HARDLY = 64 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FOLDER = {errno.EEXIST, errno.ENOTDIR}
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.ENOTSUP}


def full(path: Path) -> StoreFull:
    """Return the error that says that `path` can't grow."""
    return StoreFull(f"no space is left in {path.parent}", hint="free some, or try killick gc")


def translate(error: OSError, path: Path) -> StoreError:
    """Return the Killick error for what the system said about `path`."""
    if error.errno in _FULL:
        return full(path)
    if error.errno in _READ_ONLY:
        return StoreReadOnly(
            f"{path} can't be opened for writing ({error.strerror})", hint=ELSEWHERE
        )
    if error.errno in _NO_FOLDER:
        return StoreError(f"{path} is not a folder, and one is needed there", hint=ELSEWHERE)
    return StoreError(f"{path}: {error.strerror or error}")


def is_full(path: Path) -> bool:
    """Whether the file system of `path` has hardly a block left."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _HARDLY


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn an OSError of the block, which works on `path`, into a StoreError."""
    try:
        yield
    except OSError as error:
        raise translate(error, path) from error


def make_directory(path: Path) -> None:
    """Make a directory that only its owner can enter, with its parents, durably.

    Raises:
        StoreError: it can't be made.
    """
    with translated(path):
        if path.is_dir():
            return
    if path.parent != path:
        make_directory(path.parent)
    with translated(path):
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    sync_directory(path.parent)


def create(directory: Path) -> tuple[Path, int]:
    """Create an empty file of a fresh name, and return its path and descriptor.

    Raises:
        StoreError: it can't be made.
    """
    path = directory / secrets.token_hex(12)
    return path, open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def open_file(path: Path, flags: int) -> int:
    """Open a file, created for its owner alone, and return its descriptor.

    Raises:
        StoreError: it can't be opened.
    """
    with translated(path):
        return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def write(descriptor: int, data: Bytes, path: Path) -> None:
    """Write all of `data` where the file stands.

    Raises:
        StoreError: it can't be written (StoreFull where there is no room).
    """
    with translated(path):
        written = os.write(descriptor, data)
        if written < len(data):
            rest = memoryview(data)[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]


def sync(descriptor: int, path: Path) -> None:
    """Wait until the file's data is on disk; if that fails, the file is removed.

    Raises:
        StoreError: it is not known to be there.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        remove(path)
        raise translate(error, path) from error


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on disk.

    Raises:
        StoreError: they are not known to be there.
    """
    with translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_DIRECTORY_SYNC:  # such file systems write names through
                raise
        finally:
            os.close(descriptor)


def publish(moves: Iterable[tuple[Path, Path]]) -> None:
    """Give synced files their final names, durably; each directory is synced once.

    Raises:
        StoreError: not all have their names for certain.
    """
    directories = set()
    for source, target in moves:
        with translated(target):
            source.replace(target)
        directories.add(target.parent)
    for directory in directories:
        sync_directory(directory)


def reserve(path: Path, size: int) -> None:
    """Hold `size` bytes of disk, if there are so many, in a file that can be removed in need."""
    if path.exists():
        return
    with suppress(StoreError, OSError):
        temporary, descriptor = create(path.parent)
        try:
            write(descriptor, bytes(size), temporary)
            temporary.replace(path)
        except StoreError:
            remove(temporary)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file if it is there; whether that lasts is not waited for."""
    with suppress(OSError):
        path.unlink()


def set_aside(path: Path, to: Path) -> None:
    """Give a file that is to be removed another name, if it is there; it need not last."""
    with suppress(OSError):
        path.rename(to)
