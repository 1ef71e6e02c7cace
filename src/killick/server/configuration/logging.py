"""`[log]`: what is written about each request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from killick.server.configuration.table import setting


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The access log."""

    access: str = setting("off", help="where a line a request goes: off, stderr, or a file's path")
    format: Literal["json", "plain"] = setting("json", help="how a line of it is written")
