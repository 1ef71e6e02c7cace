"""Where things are, and what `config.toml` says.

store = "/var/lib/killick"          # where the local store is; KILLICK_STORE wins over it
jobs = 4                            # how many blobs move at once
progress = "auto"                   # auto, plain or none

[registries."registry.example:5000"]
plain_http = true                   # or tls = true
ca_file = "/etc/ssl/our-ca.pem"     # also: cert, key, insecure_skip_verify
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from killick.errors import UsageError
from killick.names import is_domain

MOST_JOBS = 64
PROGRESS = ("auto", "plain", "none")
ACCESS: Mapping[str, type] = {
    "plain_http": bool,
    "tls": bool,
    "ca_file": str,
    "cert": str,
    "key": str,
    "insecure_skip_verify": bool,
}
"""How a registry is reached: the keys of its table, which are the options as well."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file of settings says, defaults filled in."""

    store: Path
    jobs: int | None = None
    progress: str = "auto"
    registries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings that `environment` and the file that it leads to give.

        Raises:
            UsageError: the file can't be read, is not TOML, or says something unknown.
        """
        path = settings_file(environment)
        values = _read(path)
        try:
            return cls(
                _store(environment, values.pop("store", None)),
                _jobs(values.pop("jobs", None)),
                _progress(values.pop("progress", "auto")),
                _registries(values.pop("registries", {})),
            )._nothing_left(values)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", side="file", hint=error.hint) from None

    def _nothing_left(self, values: Mapping[str, Any]) -> Settings:
        if values:
            known = "store, jobs, progress and registries"
            raise UsageError(f"unknown setting {min(values)!r}", hint=f"there are {known}")
        return self


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the file of settings is, or would be."""
    if named := environment.get("KILLICK_CONFIG"):
        return Path(named)
    return _own_folder(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the platform's folder for what Killick keeps."""
    return _own_folder(environment, "XDG_DATA_HOME", ".local/share")


def _own_folder(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    """Return Killick's folder by the XDG base directory specification, or by macOS's habits.

    A library for this took longer to import than `killick images` takes to list a hundred tags.
    """
    stated = environment.get(variable, "")
    if Path(stated).is_absolute():
        return Path(stated) / "killick"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/killick").expanduser()
    return Path("~", usual, "killick").expanduser()


def _store(environment: Mapping[str, str], stated: object) -> Path:
    if named := environment.get("KILLICK_STORE"):
        return Path(named).expanduser()
    if stated is None:
        return data_folder(environment) / "store"
    if not isinstance(stated, str) or not stated:
        raise UsageError("store must be a path")
    return Path(stated).expanduser()


def _jobs(value: object) -> int | None:
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_JOBS
    ):
        raise UsageError(f"jobs must be a number from 1 to {MOST_JOBS}")
    return value


def _progress(value: object) -> str:
    if value not in PROGRESS:
        raise UsageError(f"progress must be one of {', '.join(PROGRESS)}")
    return str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})", side="file") from None
    except UnicodeError:
        raise UsageError(f"{path} is not UTF-8", side="file") from None
    if not text.strip():
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is not TOML ({error})", side="file") from None


def _registries(tables: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(tables, dict):
        raise UsageError("registries must be a table")
    for domain, table in tables.items():
        if not is_domain(domain):
            raise UsageError(f"{domain!r} is not a registry", hint="write it as host[:port]")
        _check_access(domain, table)
    return tables


def _check_access(domain: str, table: object) -> None:
    if not isinstance(table, dict):
        raise UsageError(f"registries.{domain} must be a table")
    for key, value in table.items():
        kind = ACCESS.get(key)
        if kind is None:
            hint = f"there are {', '.join(ACCESS)}"
            raise UsageError(f"unknown setting {key!r} of registry {domain}", hint=hint)
        if not isinstance(value, kind):
            wanted = "true or false" if kind is bool else "a text"
            raise UsageError(f"{key} of registry {domain} must be {wanted}")
