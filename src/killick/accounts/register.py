"""The register: the directory of accounts in its file, for all processes that look at it.

One file of JSON, replaced whole at each change: it can be read, copied and put back with the tools
that everybody has. Whether it is still the one that was read costs one `stat`, so every worker asks
before it is used, as often as `LOOK_AGAIN` says; and a change has been noticed by all of them when
`change` returns. The file that was read is held open, so that its inode can't become another's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from killick.accounts import form
from killick.accounts.directory import Directory
from killick.accounts.place import Place
from killick.bounds import bound
from killick.errors import LimitExceeded
from killick.files import translating

MOST_BYTES = bound(64 * 1024 * 1024, "bytes", "file of accounts")

LOOK_AGAIN = 0.01
"""Seconds for which the stamp of the file is taken to be what it was. (A `stat` takes 2 µs,
and other threads get in between.)"""

Stamp = tuple[int, int, int] | None
"""What tells one version of the file from the others; None: there is no file."""


_UNREADABLE = (-1, -1, -1)
"""The stamp of a file that is not seen: no version has it, so nothing that is remembered counts."""


class Version(NamedTuple):
    """The directory as it was read, and the stamp of the file then."""

    stamp: Stamp
    directory: Directory


class Register:
    """The accounts of the registry in a root. Safe to use from several threads."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._path = str(place.accounts)
        self._held: int | None = None
        self._seen: tuple[float, Stamp] = (-LOOK_AGAIN, _UNREADABLE)

    @property
    def exists(self) -> bool:
        """Whether there ever were accounts here: then nobody gets in without one."""
        return self.stamp() is not None

    def stamp(self) -> Stamp:
        """Return the stamp of the file as it is now; costs about 2 µs."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - half the time of Path.stat, on every call
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return _UNREADABLE
        return found.st_ino, found.st_mtime_ns, found.st_size

    def lately(self) -> Stamp:
        """Return the stamp of the file as it was not longer than `LOOK_AGAIN` ago."""
        now = time.monotonic()
        at, stamp = self._seen
        if now - at >= LOOK_AGAIN:
            stamp = self.stamp()
            self._seen = now, stamp
        return stamp

    def read(self) -> Version:
        """Return what the file says now.

        Raises:
            StoreError: it can't be read, or is damaged. (Where there is no file, the directory is
                empty, which is no error.)
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return Version(None, Directory())
        except OSError:
            with translating(f"read {self._path}"):
                raise
        try:
            version = self._read(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._hold(descriptor)
        return version

    def change(self, edit: Callable[[Directory], Directory]) -> Directory:
        """Replace the directory by what `edit` makes of it; what it raises leaves it as it is.

        When this returns, the change holds in every process.

        Raises:
            StoreError: it can't be read or written.
        """
        with self._place.locked():
            changed = edit(self.read().directory)
            self._place.replace(self._place.accounts, form.written(changed))
        time.sleep(LOOK_AGAIN)
        return changed

    def close(self) -> None:
        """Let go of the file."""
        self._hold(None)

    def _read(self, descriptor: int) -> Version:
        with translating(f"read {self._path}"):
            found = os.fstat(descriptor)
            if found.st_size > MOST_BYTES:
                raise LimitExceeded(f"{self._path} has more than {MOST_BYTES} bytes")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MOST_BYTES)
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        return Version(stamp, form.read(data, self._path))

    def _hold(self, descriptor: int | None) -> None:
        held, self._held = self._held, descriptor
        if held is not None:
            os.close(held)
