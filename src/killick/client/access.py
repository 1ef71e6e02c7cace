"""How to speak to a registry: what a person may set on the command line or in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from killick.client.credential import Credential


class Logins(Protocol):
    """Whatever knows a person's logins: `killick.client.credentials.Credentials`."""

    def find(self, domain: str, path: str | None = None, /) -> Credential | None:
        """Return the login for a registry, or for one of its repositories; None: none."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a registry, what to trust, what to present, and how long to try.

    `plain_http` None means: on loopback only. `ca_file` is trusted beside the system's own;
    `cert` and `key` are presented to the registry alone, and `insecure_skip_verify` holds for its
    host alone. `credentials` None means anonymous. `realms` are hosts that may get credentials for
    a token besides those that the rule of `killick.client.realms` allows.

    `attempts` and `patience` (seconds of waiting in all) bound the retries of one operation;
    `timeout` is how long to wait for a sign of life, and `slowest` the rate in bytes per second
    below which a transfer counts as stalled.
    """

    plain_http: bool | None = None
    tls: bool = False
    ca_file: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure_skip_verify: bool = False
    credentials: Logins | None = None
    realms: tuple[str, ...] = ()
    attempts: int = 5
    patience: float = 30.0
    timeout: float = 30.0
    slowest: int = 1024
