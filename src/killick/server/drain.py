"""The end of a worker: what it still does after it was told to go.

First it takes no new connections, and its answers ask callers to close theirs (`begin`); a new
worker or a restarted server takes them. Much later, when time is up, bodies that are still coming
are cut off (`cut`): what came of an upload is kept, and the caller goes on from there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from anyio import CancelScope, move_on_after

_DESCRIPTORS = Path("/proc/self/fd")


class Drain:
    """How far one worker is on its way out. Used on its event loop only."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_cutting = False
        self._waiting: set[CancelScope] = set()
        self._deaf: socket.socket | None = None

    @property
    def bodies(self) -> int:
        """How many bodies are waited for."""
        return len(self._waiting)

    def begin(self, listener: int | None = None) -> None:
        """Take no more connections from `listener` (the inode of its socket; None: there is none).

        granian's own way to stop breaks TLS handshakes off that are under way. So its descriptor of
        the listening socket is made to lead to a socket that nobody connects to; the connections
        which wait in the old one are for other workers.
        """
        self.has_begun = True
        if listener is None or self._deaf is not None:
            return
        self._deaf = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._deaf.setblocking(False)
        for descriptor in _descriptors_of(listener):
            _replace(self._deaf, descriptor)

    def cut(self) -> None:
        """Break off all waits for more of a body."""
        self.has_begun = self.is_cutting = True
        for scope in list(self._waiting):
            scope.cancel()

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[CancelScope]:
        """Give the block `seconds` to wait in, less when bodies are cut off meanwhile."""
        with move_on_after(0 if self.is_cutting else seconds) as scope:
            self._waiting.add(scope)
            try:
                yield scope
            finally:
                self._waiting.discard(scope)


def inode_of(descriptor: int) -> int:
    """Return the inode of a socket, which is the same in all processes that have it."""
    return os.fstat(descriptor).st_ino


def _descriptors_of(inode: int) -> Iterator[int]:
    """Yield this process' descriptors of a socket, where the system tells."""
    with suppress(OSError):
        for path in list(_DESCRIPTORS.iterdir()):
            with suppress(OSError):
                if str(path.readlink()) == f"socket:[{inode}]":
                    yield int(path.name)


def _replace(by: socket.socket, descriptor: int) -> None:
    with suppress(OSError):
        os.dup2(by.fileno(), descriptor, inheritable=False)
