"""What engines said, kept in dictionaries: the simplest `Sightings`, and the tests' oracle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from killick.observation import Container, Sighting, Snapshot, digests_in
from killick.rights import ANONYMOUS


class MemorySightings:
    """What engines said, as long as the process lasts; `now` is the clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._guard = threading.Lock()
        self._newest: dict[str, Snapshot] = {}
        self._sightings: dict[tuple[str, str], Sighting] = {}
        self._claims: dict[str, str] = {}

    def report(self, snapshot: Snapshot, /) -> None:
        """Keep a snapshot, and what earlier ones said otherwise."""
        snapshot = replace(snapshot, taken=min(snapshot.taken, self._now()))
        host, taken = snapshot.host, snapshot.taken
        with self._guard:
            before = self._newest.get(host)
            if before is None or taken >= before.taken:
                kept = snapshot
                if before and snapshot.failure is not None and not snapshot.containers:
                    kept = replace(before, failure=snapshot.failure)
                self._newest[host] = kept
            for container in snapshot.containers:
                key = host, _lasting(container)
                old = self._sightings.pop(key, None)
                first, last = (old.first, old.last) if old else (taken, taken)
                shown = container if old is None or taken >= last else old.container
                self._sightings[key] = Sighting(
                    host, snapshot.engine, min(first, taken), max(last, taken), shown
                )

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the newest snapshot of each host, in the order of their names."""
        yield from (self._newest[host] for host in sorted(self._newest))

    def sightings(self, words: str, /, skip: int = 0) -> Iterator[Sighting]:
        """Yield the sightings of a container ID or of a digest, the last one first."""
        found = [
            sighting
            for sighting in reversed(self._sightings.values())
            if sighting.container.id.rpartition("://")[2] == words
            or words in digests_in(sighting.container)
        ]
        yield from sorted(found, key=lambda sighting: sighting.last, reverse=True)[skip:]

    def claim(self, host: str, account: str, /) -> str:
        """Let the name of a host be this account's, if it is nobody's; return whose it is then."""
        with self._guard:
            if self._claims.get(host, ANONYMOUS) == ANONYMOUS:
                self._claims[host] = account
            return self._claims[host]

    def forget(self, host: str, /) -> bool:
        """Forget all about a host."""
        with self._guard:
            self._sightings = {k: s for k, s in self._sightings.items() if k[0] != host}
            self._claims.pop(host, None)
            return self._newest.pop(host, None) is not None


def _lasting(container: Container) -> str:
    """Return what makes a container another sighting when it changes: not its state and times."""
    labels = sorted(container.labels.items())
    return repr((replace(container, state="", started=None, labels={}), labels))
