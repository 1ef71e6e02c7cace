"""A connected socket under a watch: it has to bring something in time, and not without end.

`http.client` reads from what `makefile` returns. There sits the watch: silence, a drip below the
lowest rate, and more bytes than any honest answer has, all end as an `OSError` at the place where
broken connections end too. Only time spent waiting for the other side counts, so that a slow disk
on this side is never held against it.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from killick.client.origin import Origin, Zone
    from killick.digest import Bytes

MOST_HEAD_BYTES = 128 * 1024
_FILE_BUFFER = 64 * 1024
_SHORTEST_WAIT = 0.01


class TooSlow(TimeoutError):
    """The other side brings, or takes, fewer bytes than the lowest rate."""


class TooMuch(OSError):
    """The other side sends more than any honest answer has."""


class Watch:
    """Counts bytes, and the seconds spent waiting for them; `timeout` bounds every single wait.

    Either all waits together are bounded (`within`, for the head of an answer), or bytes have to
    flow (`flowing`, for bodies): each time that `timeout` seconds of waiting have added up, at
    least `slowest` bytes per second must have come.
    """

    def __init__(self, timeout: float, slowest: int) -> None:
        self.timeout = timeout
        self._slowest = slowest
        self.flowing(0)

    def within(self, seconds: float, budget: int = MOST_HEAD_BYTES) -> None:
        """Allow so many seconds of waiting, and so many bytes, from now on."""
        self._restart(budget)
        self._allowed = seconds
        self._is_bounded = True

    def flowing(self, budget: int) -> None:
        """Allow so many bytes from now on, if they flow."""
        self._restart(budget)
        self._allowed = self.timeout
        self._is_bounded = False

    def _restart(self, budget: int) -> None:
        self._waited = 0.0
        self._count = 0
        self._budget = budget

    @property
    def next_wait(self) -> float:
        """How long the next wait may be."""
        if not self._is_bounded:
            return self.timeout
        return max(self._allowed - self._waited, _SHORTEST_WAIT)

    def saw(self, count: int, waited: float) -> None:
        """Take notice of a wait and of the bytes that ended it.

        Raises:
            TooSlow, TooMuch: enough of this.
        """
        self._budget -= count
        if self._budget < 0:
            raise TooMuch("more bytes came than an answer may have")
        self._waited += waited
        self._count += count
        if self._waited < self._allowed:
            return
        if self._is_bounded or self._count < self._slowest * self._waited:
            raise TooSlow(f"only {self._count} bytes came in {self._waited:.0f} s")
        self._waited = 0.0
        self._count = 0


class Channel:
    """A connection as `http.client` wants one; `zone` is where its other end lies."""

    def __init__(self, sock: socket.socket, origin: Origin, zone: Zone, watch: Watch) -> None:
        self.origin = origin
        self.zone = zone
        self.watch = watch
        self.used = False
        self.idle_since = 0.0
        self._sock = sock
        self._sock.settimeout(watch.timeout)

    def sendall(self, data: Bytes) -> None:
        """Send all of `data`."""
        self._sock.settimeout(self.watch.timeout)
        view = memoryview(data).cast("B")
        while view:
            started = time.monotonic()
            count = self._sock.send(view)
            self.watch.saw(count, time.monotonic() - started)
            view = view[count:]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file to read from; `mode` is always "rb"."""
        del mode
        return io.BufferedReader(_Incoming(self._sock, self.watch), _FILE_BUFFER)

    def close(self) -> None:
        """Do nothing: `http.client` closes at its own time, `shut` at ours."""

    def cut(self) -> None:
        """Break the connection from another thread: whoever waits on it wakes up and fails."""
        with suppress(OSError):
            # Not SSLSocket's own, which would turn TLS off under the reader.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def shut(self) -> None:
        """Close the connection, from the thread that uses it."""
        self.cut()
        self._sock.close()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came unasked: else it was closed, or an answer has an unwanted tail."""
        try:
            self._sock.settimeout(0)
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False


class _Incoming(io.RawIOBase):
    """The bytes that come in, under the watch."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch
        self._timeout = -1.0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        """Wait for bytes, and put them into `buffer`; 0 when the other side has closed."""
        allowed = self._watch.next_wait
        if allowed != self._timeout:
            self._sock.settimeout(allowed)
            self._timeout = allowed
        started = time.monotonic()
        count = self._sock.recv_into(buffer)
        self._watch.saw(count, time.monotonic() - started)
        return count
