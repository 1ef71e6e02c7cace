"""Connections that wait for the next request to their origin, and those in use."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from killick.errors import Unreachable

if TYPE_CHECKING:
    from killick.client.channel import Channel
    from killick.client.origin import Origin, Zone

MOST_IDLE = 16
LONGEST_IDLE = 50.0


def closed() -> Unreachable:
    """Return the error of a request that was cut off by our own `close`."""
    return Unreachable("the connection was closed on this side", side="local")


class Pool:
    """Connections: those in use, and those that wait for the next request to their origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Channel]] = {}
        self._busy: set[Channel] = set()
        self.is_closed = False

    def take(self, origin: Origin, innermost: Zone) -> Channel | None:
        """Return a waiting connection that is still good, or None."""
        while True:
            with self._lock:
                waiting = self._idle.get(origin)
                if not waiting:
                    return None
                channel = waiting.pop()
            fresh = time.monotonic() - channel.idle_since < LONGEST_IDLE
            if fresh and channel.zone <= innermost and channel.is_quiet:
                self.add(channel)
                return channel
            channel.shut()

    def add(self, channel: Channel) -> None:
        """Take notice of a connection in use.

        Raises:
            Unreachable: the pool was closed.
        """
        with self._lock:
            if not self.is_closed:
                self._busy.add(channel)
                return
        channel.shut()
        raise closed()

    def keep(self, channel: Channel) -> None:
        """Take a connection back for the next request."""
        channel.used = True
        channel.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(channel)
            waiting = self._idle.setdefault(channel.origin, [])
            if not self.is_closed and len(waiting) < MOST_IDLE:
                waiting.append(channel)
                return
        channel.shut()

    def drop(self, channel: Channel) -> None:
        """Close a connection that was in use."""
        with self._lock:
            self._busy.discard(channel)
        channel.shut()

    def close(self) -> None:
        """Close what waits, and break what is in use."""
        with self._lock:
            self.is_closed = True
            waiting = [channel for channels in self._idle.values() for channel in channels]
            busy = list(self._busy)
            self._idle.clear()
        for channel in waiting:
            channel.shut()
        for channel in busy:
            channel.cut()
