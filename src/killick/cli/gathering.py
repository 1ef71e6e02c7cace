"""What is known of the containers of all hosts: as engines say now, else as they were last seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from killick.cli.engines import engines_for, snapshots
from killick.cli.printing import note
from killick.errors import NotFound, StoreError
from killick.fleet.next_step import short_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from killick.cli.context import Session
    from killick.observation import Container, Snapshot
    from killick.store import Store

MOST_SIGHTINGS = 20
"""How many earlier looks at one container are taken into account."""


def gather(session: Session, hosts: Sequence[str], seconds: float) -> list[Snapshot]:
    """Return a snapshot of each host.

    An engine that can't be asked now is shown as it was last seen, together with the reason.
    Without `hosts`, so are those that were scanned, or reported themselves here, and are not asked.

    Raises:
        NotFound: there is no engine, and none was ever seen.
    """
    kept = {snapshot.host: snapshot for snapshot in _kept(session)}
    try:
        engines = engines_for(hosts)
    except NotFound:
        if hosts or not kept:
            raise
        engines = []
    found = [_last_seen(snapshot, kept) for snapshot in snapshots(engines, seconds)]
    if not hosts:
        asked = {snapshot.host for snapshot in found}
        others = [snapshot for host, snapshot in kept.items() if host not in asked]
        _tell(others)
        found += others
    return sorted(found, key=lambda snapshot: snapshot.host)


def _tell(others: Sequence[Snapshot]) -> None:
    if others:
        oldest = min(snapshot.taken for snapshot in others)
        names = ", ".join(short_list(snapshot.host for snapshot in others))
        note(f"not asked now, and shown as last seen (since {oldest:%Y-%m-%dT%H:%M:%SZ}): {names}")


def _kept(session: Session) -> list[Snapshot]:
    try:
        return list(session.reading.snapshots())
    except StoreError:
        if session.settings.store.exists():
            raise
        return []


def _last_seen(snapshot: Snapshot, kept: dict[str, Snapshot]) -> Snapshot:
    earlier = kept.get(snapshot.host)
    if snapshot.failure is None or earlier is None or not earlier.containers:
        return snapshot
    return replace(earlier, failure=snapshot.failure)


def remembering(
    store: Store, seen: Iterable[Snapshot], lacking: Iterable[Container]
) -> list[Snapshot]:
    """Return the snapshots with what engines said of some containers earlier.

    An image is the same as long as a container has its ID; but its names and digests may have
    vanished from the engine's words since.
    """
    changed = {id(container): _with_earlier(store, container) for container in lacking}
    return [replace(s, containers=tuple(changed.get(id(c), c) for c in s.containers)) for s in seen]


def _with_earlier(store: Store, container: Container) -> Container:
    words = container.id.rpartition("://")[2]
    claims, names = list(container.claims), list(container.names)
    for sighting in islice(store.sightings(words), MOST_SIGHTINGS):
        if sighting.container.id == container.id and sighting.container.image == container.image:
            claims += [c for c in sighting.container.claims if c not in claims]
            names += [name for name in sighting.container.names if name not in names]
    return replace(container, claims=tuple(claims), names=tuple(names))
