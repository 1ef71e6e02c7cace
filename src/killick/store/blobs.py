"""Files of content, `blobs/<algorithm>/<hex>`: opened only as what they were verified to be.

A file is *known good* while inode, size, mtime and ctime are those of the moment at which its bytes
were verified, and that is less than seven days ago. Any other is hashed as it is read, and its end
withheld until the hash is right; if it is wrong, the file goes to quarantine and the content counts
as absent, so that the next pull or push heals it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

from killick.digest import CHUNK, Digest, KnownFile, VerifyingReader
from killick.errors import DigestMismatch, StoreError
from killick.store import durable, locks
from killick.store.context import Context

TRUSTED_FOR = timedelta(days=7)
_MOST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Shape:
    """What tells that a file was not touched: its inode, size, and times in nanoseconds."""

    inode: int
    size: int
    mtime: int
    ctime: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Shape:
        """Return the shape in what `stat` told."""
        return cls(stat.st_ino & _MOST_INTEGER, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Held:
    """Content that the database says is here, and when it was last verified, in which shape."""

    digest: Digest
    shape: Shape
    verified: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.shape.size


class Blobs:
    """The files of the store's content."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def path(self, digest: Digest) -> Path:
        """Return where the content of a digest of a registered algorithm lies, if it is here."""
        return self._context.places.blobs / digest.algorithm / digest.encoded

    def locate(self, held: Held) -> Path | None:
        """Return the file if it is known to be good, else None."""
        path = self.path(held.digest)
        with suppress(OSError):
            if self._is_good(held, path.stat()):
                return path
        return None

    def open(self, held: Held, start: int = 0) -> BinaryIO | None:
        """Return a stream from byte `start` on; None if the file is missing (it is then noted).

        Raises:
            DigestMismatch: (here or from reading) the bytes are damaged.
            StoreError: the file can't be read.
        """
        file = self._file(held)
        if file is None:
            return None
        try:
            if self._is_good(held, os.fstat(file.fileno())):
                file.seek(start)
                file.answers_for = held.digest
                return cast("BinaryIO", file)
            checked = Checked(cast("BinaryIO", file), held, self._good, self._bad)
            if not start:
                return cast("BinaryIO", checked)
            with checked:
                while checked.read(CHUNK):
                    pass
        except BaseException:
            file.close()
            raise
        again = self._file(held)
        if again is not None:
            again.seek(start)
            again.answers_for = held.digest
        return cast("BinaryIO | None", again)

    def check(self, held: Held, tell: Callable[[Held, Shape], None] | None = None) -> bool:
        """Hash the file; return whether it is good. If it is not, it goes to quarantine.

        What is good is told to `tell`, which may gather it for `note` (None: noted at once).

        Raises:
            StoreError: the file can't be read.
        """
        file = self._file(held)
        if file is None:
            return False
        with file:
            try:
                reader = Checked(cast("BinaryIO", file), held, tell or self._good, self._bad)
                while reader.read(CHUNK):
                    pass
            except DigestMismatch:
                return False
        return True

    def is_good(self, held: Held) -> bool:
        """Whether the file is here and known to be good."""
        return self.locate(held) is not None

    def _file(self, held: Held) -> KnownFile | None:
        path = self.path(held.digest)
        try:
            return KnownFile(path)
        except FileNotFoundError:
            self._bad(held, None)
            return None
        except OSError as error:
            raise durable.translate(error, path) from error

    def _is_good(self, held: Held, stat: os.stat_result) -> bool:
        age = self._context.now() - held.verified
        return Shape.of(stat) == held.shape and 0 <= age < TRUSTED_FOR // timedelta(microseconds=1)

    def note(self, good: Iterable[tuple[Held, Shape]]) -> None:
        """Note that files were verified just now, in these shapes; no matter if that fails."""
        if self._context.read_only:
            return
        now = self._context.now()
        with suppress(StoreError), self._context.database.writing() as connection:
            connection.executemany(
                "UPDATE blob SET inode = ?, mtime = ?, ctime = ?, verified = ?"
                " WHERE digest = ? AND damaged = 0",
                [(s.inode, s.mtime, s.ctime, now, str(h.digest)) for h, s in good],
            )

    def _good(self, held: Held, shape: Shape) -> None:
        self.note([(held, shape)])

    def _bad(self, held: Held, shape: Shape | None) -> None:
        """Put a damaged (or note a missing) file out of sight, unless it was healed meanwhile.

        Nothing is committed under the exclusive lock, so what is looked at is what is marked.
        """
        if self._context.read_only:
            return
        path = self.path(held.digest)
        with locks.exclusive(self._context.places.commit_lock):
            try:
                inode: int | None = Shape.of(path.stat()).inode
            except FileNotFoundError:
                inode = None
            if inode != (shape.inode if shape else None):
                return
            with self._context.database.writing() as connection:
                connection.execute(
                    "UPDATE blob SET damaged = 1 WHERE digest = ?", (str(held.digest),)
                )
            if inode is not None:
                self._quarantine(path, held.digest)

    def _quarantine(self, path: Path, digest: Digest) -> None:
        name = f"{digest.algorithm}-{digest.encoded}-{self._context.now()}"
        durable.publish([(path, self._context.places.quarantine / name)])


class Checked(VerifyingReader):
    """A reader that tells, at the end of the file, whether it was good."""

    def __init__(
        self,
        file: BinaryIO,
        held: Held,
        good: Callable[[Held, Shape], None],
        bad: Callable[[Held, Shape], None],
    ) -> None:
        self._file = file
        self._held = held
        self._shape = Shape.of(os.fstat(file.fileno()))
        self._tell_good = good
        self._tell_bad = bad
        super().__init__(file, held.digest, held.size)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # as in the base
        """Fill `buffer` with the next bytes; 0 at the end."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise StoreError(f"{self._held.digest} can't be read ({error.strerror})") from error

    def _end(self) -> None:
        try:
            super()._end()
        except DigestMismatch as error:
            self._tell_bad(self._held, self._shape)
            raise DigestMismatch(
                f"the stored content of {self._held.digest} is damaged",
                hint="pull or push it again, which heals it",
            ) from error
        if Shape.of(os.fstat(self._file.fileno())) == self._shape:
            self._tell_good(self._held, self._shape)
