"""The whole of the configuration. A new section is one dataclass, and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from killick.rules import Policy
from killick.server.configuration.access import Access
from killick.server.configuration.chores import ChoreSettings
from killick.server.configuration.limits import LimitSettings
from killick.server.configuration.logging import LogSettings
from killick.server.configuration.metrics import MetricsSettings
from killick.server.configuration.rules import ImmutableSettings, RetentionSettings
from killick.server.configuration.table import Bounds, Wrong, section, setting
from killick.server.configuration.tls import Tls

MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Configuration:
    """How one registry is served. Picklable: worker processes get it as it is."""

    addr: str = setting("127.0.0.1:5000", help="where to listen, as host:port; port 0 takes any")
    root: Path | None = setting(None, help="the registry's folder, made if it is new")
    store: bool = setting(False, help="serve the local store instead, to be read only")
    workers: int | None = setting(
        None,
        help="worker processes; left out: 1 on loopback, else one a core, but at most 4",
        bounds=Bounds(1, MOST_WORKERS),
    )
    read_only: bool = setting(False, help="refuse all that would change something")
    require_complete: bool = setting(
        False, help="refuse images whose parts are not there (else they are marked incomplete)"
    )
    plain_http: bool = setting(
        False, help="serve plain HTTP beyond loopback although there are accounts (behind a proxy)"
    )
    shutdown: timedelta = setting(
        timedelta(seconds=10),
        help="how long calls under way may take to end when the server stops",
        bounds=Bounds(timedelta(seconds=1), timedelta(hours=1)),
    )
    tls: Tls = section(Tls)
    access: Access = section(Access)
    limits: LimitSettings = section(LimitSettings)
    log: LogSettings = section(LogSettings)
    metrics: MetricsSettings = section(MetricsSettings)
    chores: ChoreSettings = section(ChoreSettings)
    immutable: tuple[ImmutableSettings, ...] = ()
    retention: tuple[RetentionSettings, ...] = ()

    @property
    def policy(self) -> Policy:
        """Which moves of tags are refused."""
        immutable = tuple(stated.rule() for stated in self.immutable)
        return Policy(immutable, sparse=not self.require_complete)

    def __post_init__(self) -> None:
        """Look for combinations that can't be."""
        if self.store and self.root is not None:
            raise Wrong("store", "serves the local store, to be read only", hint="leave root off")
        if self.store and self.access.anonymous == "all":
            raise Wrong(
                "store",
                "serves the local store, to be read only",
                hint='leave access.anonymous = "all" off',
            )
