"""Files that are there whole or not at all, and stay there when the power goes.

The order is always the same: a new file beside the final name, the bytes, fsync of the file,
rename, fsync of the directory. What fails leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from killick.errors import Side, StoreError, StoreFull, StoreReadOnly

TEMPORARY = ".killick-"
"""What names of unfinished files begin with."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def failure(error: OSError, doing: str, side: Side = "file") -> StoreError:
    """Return the error to raise where `error` kept us from `doing` ("write /x/index.json")."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        hint = "make room and try again; nothing was lost"
        return StoreFull(f"can't {doing}: {reason}", side=side, hint=hint)
    if error.errno in _READ_ONLY:
        return StoreReadOnly(f"can't {doing}: {reason}", side=side, hint="check who owns it")
    return StoreError(f"can't {doing}: {reason}", side=side)


@contextmanager
def translating(doing: str, side: Side = "file") -> Iterator[None]:
    """Turn every OSError in the block into a StoreError that says what we were `doing`."""
    try:
        yield
    except OSError as error:
        raise failure(error, doing, side) from error


@contextmanager
def replacing(path: Path, folder: Path | None = None, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a new file, open for reading and writing, that takes the place of `path` at the end.

    It lies in `folder` (default: beside `path`; it must be in the same file system) until the block
    ends; then it is durable under its name. If the block raises, nothing has changed. `mode` is
    what it may be used for, less what the umask forbids. A link stays, and what it leads to is
    replaced.

    Raises:
        OSError: as files do, and where something else than a file is in place (a rename would put
            one there of /dev/null, too); see `translating`.
    """
    path = _replaceable(path)
    temporary = (folder or path.parent) / f"{TEMPORARY}{secrets.token_hex(8)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, mode), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_dir(path.parent)


def _replaceable(path: Path) -> Path:
    found = Path(os.path.realpath(path))  # which, unlike resolve(), takes links that go in circles
    if found.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if found.exists() and not found.is_file():
        raise OSError(errno.EINVAL, "it is a device or a pipe, and no file", str(path))
    return found


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Make `data` the content of `path`, all or nothing, durably.

    Raises:
        OSError: as files do; see `translating`.
    """
    with replacing(path, mode=mode) as file:
        file.write(data)


def sync_dir(path: Path) -> None:
    """Make the names in the directory `path` durable.

    Raises:
        OSError: as files do; see `translating`.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_dirs(path: Path) -> None:
    """Make the directory `path`, and those above it, durably; those that exist are left alone.

    Raises:
        OSError: as files do; see `translating`.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_dir(folder.parent)
