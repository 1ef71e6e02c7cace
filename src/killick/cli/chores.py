"""The chores of a served registry, put together from what the store can do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from killick.server.chores import Chores, Result, Shift
    from killick.server.configuration import Configuration
    from killick.store import Store

FOLDER = "chores"
"""Where in a registry's folder is kept what came of the chores."""


def chores_of(configuration: Configuration, store: Store) -> Chores:
    """Return the chores of the registry that `store` is."""
    from killick.server.chores import Chore, Chores

    stated = configuration.chores
    expiry = configuration.limits.expiry
    return Chores(
        store.root / FOLDER,
        [
            Chore(
                "collect",
                stated.collect or None,
                lambda _: collect(store),
                lambda: collect(store, dry_run=True),
            ),
            Chore(
                "scrub", stated.scrub or None, lambda shift: scrub(store, shift, stated.scrub_rate)
            ),
            Chore(
                "uploads",
                timedelta(hours=1),
                lambda _: {"removed": store.expire_uploads(expiry)},
            ),
        ],
    )


def collect(store: Store, *, dry_run: bool = False) -> Result:
    """Remove garbage; with `dry_run`, only tell how much there is."""
    found = store.collect(dry_run=dry_run)
    return {"removed": len(found.removed), "freed_bytes": found.size, "kept": found.kept}


def scrub(store: Store, shift: Shift, rate: int) -> Result:
    """Hash what is stored, `rate` bytes a second on average (0: as fast as it goes)."""
    seen = {"blobs": 0, "bytes": 0, "damaged": 0} | dict(shift.kept)
    for looked in store.scrub(after=str(seen.get("last", ""))):
        seen["blobs"] += 1
        seen["bytes"] += looked.size
        seen["damaged"] += looked.problem is not None
        shift.keep(seen | {"last": str(looked.digest)})
        shift.pause(looked.size / rate if rate else 0)
    return {key: seen[key] for key in ("blobs", "bytes", "damaged")}


def gauges_of(store: Store) -> Iterator[str]:
    """Yield the gauges of a store in Prometheus' text format."""
    from killick.server.figures import header

    yield from header("uploads_open", "gauge", "Upload sessions that are open.")
    yield f"killick_uploads_open {store.count_uploads()}"
