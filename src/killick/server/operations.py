"""What those who run a registry need beside its API: records, health, chores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from killick.server.chores import Chores
from killick.server.drain import Drain
from killick.server.recording import Recorder
from killick.server.reporters import Reporters

Show = Literal["off", "loopback", "admin", "all"]
Probe = Callable[[], object]


def _no_gauges() -> Iterable[str]:
    return ()


def _no_trouble() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Operations:
    """What is noted of requests, what those who run the registry may ask, and how it is reached.

    `probe` raises a StoreError where the storage can't do its work; `gauges` yields more lines for
    `/metrics`; `show` says who may see those; `count_uploads` how many uploads are under way;
    `public_url` where callers find the registry, if it can't be told from their calls; `reporters`
    who may report under which names of hosts.
    """

    recorder: Recorder = field(default_factory=Recorder)
    probe: Probe = _no_trouble
    gauges: Callable[[], Iterable[str]] = _no_gauges
    show: Show = "loopback"
    read_only: bool = False
    chores: Chores | None = None
    drain: Drain = field(default_factory=Drain)
    count_uploads: Callable[[], int] = int
    public_url: str | None = None
    reporters: Reporters = field(default_factory=Reporters)
