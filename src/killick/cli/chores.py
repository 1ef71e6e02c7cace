"""The chores of a served registry, put together from what the store can do."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from killick.cli.said import count_said
from killick.moments import rfc3339

if TYPE_CHECKING:
    from killick.rules import Retention
    from killick.server.chores import Chores, Result, Shift
    from killick.server.configuration import Configuration
    from killick.store import Collected, Looked, Release, Store

MOST_NAMED = 100
"""How much of what a chore found or let go of is named in its account; the rest is counted."""

_log = logging.getLogger(__name__)

ENGINES = frozenset({"docker", "podman", "containerd", "cri-o", "kubernetes", "inventory"})
"""Kinds of engines that have figures of their own: what a reporter says must not make new ones."""

FOLDER = "chores"
"""Where in a registry's folder is kept what came of the chores."""


def chores_of(configuration: Configuration, store: Store) -> Chores:
    """Return the chores of the registry that `store` is."""
    from killick.server.chores import Chore, Chores

    stated = configuration.chores
    expiry = configuration.limits.expiry
    rules = [one.rule() for one in configuration.retention]
    return Chores(
        store.root / FOLDER,
        [
            Chore(
                "retention",
                (stated.retention or None) if rules else None,
                lambda shift: retain(store, rules, shift),
                lambda: told(store.retain(rules, dry_run=True)),
            ),
            Chore(
                "collect",
                stated.collect or None,
                lambda shift: collect(store, shift),
                lambda: rehearse(store, rules),
            ),
            Chore(
                "scrub", stated.scrub or None, lambda shift: scrub(store, shift, stated.scrub_rate)
            ),
            Chore(
                "reports",
                timedelta(hours=1) if stated.reports else None,
                lambda _: {"hosts": store.forget_silent(stated.reports) if stated.reports else 0},
            ),
            Chore(
                "advisories",
                stated.advisories or None,
                lambda shift: count_said(store, shift),
            ),
            Chore(
                "uploads",
                timedelta(hours=1),
                lambda _: {"removed": store.expire_uploads(expiry)},
            ),
        ],
    )


def collect(store: Store, shift: Shift) -> Result:
    """Remove garbage, until the server stops."""
    found = store.collect(stop=lambda: is_over(shift))
    if not found.finished:
        shift.check()
    return _counted(found)


def rehearse(store: Store, rules: Sequence[Retention]) -> Result:
    """Tell what is garbage, if the rules let go of what they say."""
    return _counted(store.collect(dry_run=True, letting=store.retain(rules, dry_run=True)))


def _counted(found: Collected) -> Result:
    return {"removed": found.count, "freed_bytes": found.size, "kept": found.kept}


def retain(store: Store, rules: Sequence[Retention], shift: Shift) -> Result:
    """Let go of what the rules say, until the server stops."""
    result = told(store.retain(rules, stop=lambda: is_over(shift)))
    shift.check()
    return result


def told(releases: Iterable[Release]) -> Result:
    """Return what was let go of: how much, and the first of it by name."""
    counts = {"history": 0, "tag": 0}
    named: list[Result] = []
    for release in releases:
        counts[release.what] += 1
        if len(named) < MOST_NAMED:
            named.append(
                {
                    "what": release.what,
                    "repository": release.repository,
                    "tag": release.tag,
                    "digest": str(release.digest),
                    "since": rfc3339(release.since),
                    "why": release.why,
                }
            )
    return {"history": counts["history"], "tags": counts["tag"], "first": named}


def is_over(shift: Shift) -> bool:
    """Return whether the server stops."""
    from killick.server.chores import Interrupted

    try:
        shift.check()
    except Interrupted:
        return True
    return False


def scrub(store: Store, shift: Shift, rate: int) -> Result:
    """Hash what is stored, `rate` bytes a second on average (0: as fast as it goes)."""
    seen: dict[str, Any] = {"blobs": 0, "bytes": 0, "damaged": 0, "first": []} | dict(shift.kept)
    for looked in store.scrub(after=str(seen.get("last", ""))):
        seen["blobs"] += 1
        seen["bytes"] += looked.size
        if looked.problem is not None:
            seen["damaged"] += 1
            _log.error("%s %s%s", looked.digest, looked.problem, _needed_by(looked))
            if len(seen["first"]) < MOST_NAMED:
                seen["first"] = [*seen["first"], _named(looked)]
        shift.keep(seen | {"last": str(looked.digest)})
        shift.pause(looked.size / rate if rate else 0)
    return {key: seen[key] for key in ("blobs", "bytes", "damaged", "first")}


def _needed_by(looked: Looked) -> str:
    return f" (needed by {', '.join(looked.images)})" if looked.images else ""


def _named(looked: Looked) -> Result:
    return {
        "digest": str(looked.digest),
        "problem": looked.problem,
        "images": list(looked.images),
    }


def gauges_of(store: Store) -> Iterator[str]:
    """Yield the gauges of a store in Prometheus' text format."""
    from killick.server.figures import header

    yield from header("uploads_open", "gauge", "Upload sessions that are open.")
    yield f"killick_uploads_open {store.count_uploads()}"
    fleet = store.standings()
    yield from header("fleet_hosts", "gauge", "Hosts that reported what they run, by their answer.")
    yield f'killick_fleet_hosts{{answer="given"}} {fleet.hosts - fleet.failed}'
    yield f'killick_fleet_hosts{{answer="failed"}} {fleet.failed}'
    if fleet.oldest is not None:
        name = "fleet_oldest_report_timestamp_seconds"
        yield from header(name, "gauge", "When the host that was silent for longest last answered.")
        yield f"killick_{name} {fleet.oldest.timestamp():.3f}"
    about = "Containers whose image a tag here points to, once did, or that is unknown here."
    yield from header("fleet_containers", "gauge", about)
    counts: Counter[tuple[str, str]] = Counter()
    for engine, standing, count in fleet.containers:
        counts[engine if engine in ENGINES else "other", standing] += count
    for (engine, standing), count in counts.items():
        yield f'killick_fleet_containers{{engine="{engine}",standing="{standing}"}} {count}'
