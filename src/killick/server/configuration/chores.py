"""`[chores]`: what the registry does by itself from time to time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from killick.server.configuration.table import Bounds, setting
from killick.server.configuration.values import Size

_NEVER = timedelta(0)
_LEASES = Bounds(timedelta(seconds=1), timedelta(days=365))


@dataclass(frozen=True, slots=True)
class ChoreSettings:
    """How often what is done; a time of `0s` means: only when asked."""

    collect: timedelta = setting(
        timedelta(hours=6), help="how often garbage is collected", bounds=Bounds(_NEVER)
    )
    retention: timedelta = setting(
        timedelta(days=1),
        help="how often the rules of [[retention]] let go of what they say",
        bounds=Bounds(_NEVER),
    )
    reports: timedelta = setting(
        timedelta(days=30),
        help="how long what a host reported is kept after its last report (0s: for ever)",
        bounds=Bounds(_NEVER),
    )
    advisories: timedelta = setting(
        timedelta(minutes=15),
        help="how often reported containers are counted by what is said of their images",
        bounds=Bounds(_NEVER),
    )
    scrub: timedelta = setting(
        timedelta(days=30), help="how often all that is stored is hashed", bounds=Bounds(_NEVER)
    )
    scrub_rate: Size = setting(
        Size(20 * 1024**2), help="bytes a second that are hashed (0: as fast as it goes)"
    )
    lease: timedelta = setting(
        timedelta(hours=1),
        help="how long what callers were told is there stays, whatever is collected",
        bounds=_LEASES,
    )
