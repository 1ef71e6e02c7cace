"""The containers that hosts reported to a registry, counted by what is said of their images there.

What is said are the OpenVEX documents that are attached to images in the registry itself. Counting
takes about 0.1 ms a container, so that it is done by a chore; `/metrics` tells what that found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from killick import openvex
from killick.cli import attached
from killick.errors import ContentError, NotFound
from killick.fleet.advice import REGISTRY
from killick.knowledge import Advisory

if TYPE_CHECKING:
    from killick.fleet.view import Seen
    from killick.server.chores import Chores, Result, Shift
    from killick.store import Store

MOST_DOCUMENTS = 10_000
"""How many attached documents are read, the last that came first."""
REST = 0.005
"""Seconds between two hosts in which the worker only answers calls."""
NAME = "advisories"
SAID = ("affected", "under_investigation", "fixed", "not_affected", "unsaid", "unknown")


def count_said(store: Store, shift: Shift) -> Result:
    """Count the containers that hosts reported last, by the worst that is said of their images."""
    from killick.fleet.advice import Advice
    from killick.fleet.lore import Lore
    from killick.fleet.past import Past
    from killick.fleet.view import View

    documents = list(_documents(store, shift))
    lore = Lore(store)
    view = View(lore, Advice(lore, documents), Past)
    counts: Counter[str] = Counter()
    for snapshot in store.snapshots():
        shift.pause(REST)
        counts.update(_said(view.look(snapshot, c)) for c in snapshot.containers)
    return {"documents": len(documents)} | {status: counts[status] for status in SAID}


def _documents(store: Store, shift: Shift) -> Iterator[Advisory]:
    for repository, descriptor in store.attached(openvex.MEDIA_TYPE, MOST_DOCUMENTS):
        shift.check()
        try:
            vex = attached.document_in(store.repository(repository), descriptor)
        except (ContentError, NotFound):
            continue  # others attach what they like
        if vex is not None:
            yield Advisory(vex, f"{REGISTRY}{repository}")


def _said(seen: Seen) -> str:
    """Return the worst that is surely said of what runs; `unknown` where that can't be told."""
    running = seen.running
    if running.doubt is not None or not (running.configs or running.manifests):
        return "unknown"
    sure = {finding.status for finding in seen.findings if finding.certain}
    if "affected" not in sure and any(not finding.certain for finding in seen.findings):
        return "unknown"
    return next((status for status in SAID if status in sure), "unsaid")


def said_gauges(chores: Chores) -> Iterator[str]:
    """Yield what the last count found in Prometheus' text format; nothing where there was none."""
    from killick.server.figures import header

    result = chores.account(NAME)["result"]
    if not isinstance(result, dict) or not result:
        return
    about = "Containers by what advisories that are attached here say of their image."
    yield from header("fleet_containers_said", "gauge", about)
    for status in SAID:
        yield f'killick_fleet_containers_said{{status="{status}"}} {int(result.get(status, 0))}'
