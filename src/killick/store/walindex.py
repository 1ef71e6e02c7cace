"""Whether anything was committed to a database, without asking SQLite.

Every commit changes the head of the wal-index, which lies in memory that all processes with the
database open share; SQLite itself looks there first when a transaction begins
(https://www.sqlite.org/walformat.html, section 2). So what was read while the head stood still
holds as long as it still stands. To look costs a copy of 96 bytes: no lock and no system call, and
no other thread gets in between.

It is SQLite's own mapping that is read. One of our own would need a descriptor of the file, and
closing that would let go of all of SQLite's locks on it (as POSIX has it).
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_HEAD = 48
"""Bytes of the head. It is there twice: where the two differ, somebody is writing it."""
_VERSION = 3007000
_BEGINNING = struct.Struct("=I8xB")  # iVersion, unused, iChange, isInit; in the machine's order
_MAPS = Path("/proc/self/maps")


class WalIndex:
    """The head of a wal-index at an address: for as long as a connection that has read is open."""

    def __init__(self, address: int) -> None:
        self._memory = (ctypes.c_char * (2 * _HEAD)).from_address(address)

    def state(self) -> bytes:
        """Return what is in the head: after a commit, it is not what it was before."""
        return self._memory.raw


def stands(state: bytes) -> bool:
    """Return whether a state is whole, and of the form that is known."""
    version, is_ready = _BEGINNING.unpack_from(state)
    return state[:_HEAD] == state[_HEAD:] and version == _VERSION and is_ready == 1


def of(database: Path) -> WalIndex | None:
    """Return the index of a database that this process has open, and has read from.

    None where it can't be found: then nobody knows without asking SQLite.
    """
    wanted = os.path.realpath(database) + "-shm"
    try:
        lines = _MAPS.read_text("utf-8", "surrogateescape").split("\n")
    except OSError:
        return None
    for line in filter(None, lines):
        span, rights, offset, _, _, *path = line.split(maxsplit=5)
        if path == [wanted] and int(offset, 16) == 0 and rights.startswith("r"):
            return WalIndex(int(span.partition("-")[0], 16))
    return None
