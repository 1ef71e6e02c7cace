"""`[metrics]`: who may see `/metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from killick.server.configuration.table import setting


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The figures for Prometheus."""

    show: Literal["off", "loopback", "admin", "all"] = setting(
        "loopback", help="who may see /metrics: callers on loopback and admins, admins, or all"
    )
