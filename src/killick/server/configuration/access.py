"""`[access]`: who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from killick.server.configuration.table import setting

Anonymous = Literal["none", "pull", "all"]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what."""

    anonymous: Anonymous | None = setting(
        None, help="what callers without an account may do; left out: all on loopback"
    )
