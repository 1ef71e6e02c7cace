"""The tar of an archive as files by name, read in place: nothing is unpacked."""

from __future__ import annotations

import os
import posixpath
import stat
import tempfile
from collections.abc import Mapping
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from killick.compression import LONGEST_MAGIC, compression_of, decompressed
from killick.digest import Bytes, chunks
from killick.errors import ContentError, LimitExceeded, NotFound
from killick.files import translating
from killick.tarball import Member, members

MOST_LINKS = 8
MOST_FILES = 100_000
MOST_UNPACKED = 256 * 1024 * 1024 * 1024
MOST_EXPANSION = 200
LEAST_LIMIT = 1024 * 1024 * 1024
"""An archive holds compressed layers; one that grows more than this is made to fill the disk."""


class TarFiles:
    """The files in a tar, by their names; close it after use.

    Raises:
        NotFound: there is no such file.
        ContentError, LimitExceeded: not a tar, or one with hostile members.
        StoreError: it can't be read.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        self._file = _plain(source)
        try:
            with translating("read the archive"):
                self._members = _table(self._file)
        except BaseException:
            self._file.close()
            raise

    def find(self, name: str) -> Member | None:
        """Return the file called `name`, links to it followed, or None."""
        for _ in range(MOST_LINKS):
            member = self._members.get(name)
            if member is None or member.kind == "file":
                return member
            folder = posixpath.dirname(name) if member.kind == "symlink" else ""
            name = posixpath.normpath(posixpath.join(folder, member.link))
        raise ContentError(f"{name[:200]!r} in the archive is a chain of links", side="file")

    def open(self, member: Member) -> BinaryIO:
        """Return the bytes of a file; many can be read at once."""
        return cast("BinaryIO", _Window(self._file, member.offset, member.size))

    def read(self, name: str, most: int) -> bytes | None:
        """Return the content of the file called `name`, or None where there is none.

        Raises:
            LimitExceeded: it has more than `most` bytes.
            ContentError: the archive is cut off.
        """
        member = self.find(name)
        if member is None:
            return None
        if member.size > most:
            raise LimitExceeded(f"{name} in the archive has over {most} bytes", side="file")
        data = os.pread(self._file.fileno(), member.size, member.offset)
        if len(data) != member.size:
            raise ContentError(f"the archive ends within {name}", side="file")
        return data

    def close(self) -> None:
        """Close the archive."""
        self._file.close()


class _Window(RawIOBase):
    """A part of a file, with a position of its own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._next = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        view = memoryview(buffer).cast("B")[: self._end - self._next]
        if not view:
            return 0
        with translating("read the archive"):
            count = os.preadv(self._file.fileno(), [view], self._next)
        self._next += count
        return count


def window(file: BinaryIO, start: int, size: int) -> BinaryIO:
    """Return `size` bytes of `file` from `start` on, as a stream that leaves `file` open."""
    return cast("BinaryIO", _Window(file, start, size))


def _table(file: BinaryIO) -> Mapping[str, Member]:
    fd = file.fileno()
    length = os.fstat(fd).st_size
    found: dict[str, Member] = {}
    for member in members(lambda offset, count: os.pread(fd, count, offset), MOST_FILES):
        name = _inner(member.name)
        if member.kind == "directory":
            continue
        if member.kind == "other":
            raise ContentError(f"{member.name[:200]!r} in the archive is a device", side="file")
        if name in found:
            raise ContentError(f"the archive has {name[:200]!r} twice", side="file")
        if member.offset + member.size > length:
            raise ContentError(f"the archive ends within {name[:200]!r}", side="file")
        found[name] = member
    return found


def _inner(name: str) -> str:
    """Return a member's name in its one form, or refuse what leads out of the archive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise ContentError(f"{name[:200]!r} leads out of the archive", side="file")
    return "/".join(parts)


def _plain(source: Path | BinaryIO) -> BinaryIO:
    """Return the archive as an open file without compression: itself, or a temporary copy."""
    if not isinstance(source, Path):
        return _spooled(source, MOST_UNPACKED)
    with translating(f"read {source}"):
        try:
            file = source.open("rb", buffering=0)
        except FileNotFoundError:
            raise NotFound(f"there is no file {source}", side="file") from None
        found = os.fstat(file.fileno())
        regular = stat.S_ISREG(found.st_mode)
        head = os.pread(file.fileno(), LONGEST_MAGIC, 0) if regular else b""
    if regular and compression_of(head) is None:
        return file
    growth = max(found.st_size * MOST_EXPANSION, LEAST_LIMIT) if regular else MOST_UNPACKED
    with file:
        return _spooled(file, min(MOST_UNPACKED, growth))


def _spooled(file: BinaryIO, most: int) -> BinaryIO:
    spool = tempfile.TemporaryFile(prefix="killick-")  # noqa: SIM115 - TarFiles closes it
    try:
        for piece in chunks(decompressed(file, most)):
            with translating("unpack the archive to a temporary file"):
                spool.write(piece)
        spool.flush()
    except BaseException:
        spool.close()
        raise
    return cast("BinaryIO", spool)
