"""The one table of all limits of a served registry, with their values in force."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from killick.server.configuration import Configuration, Setting

_ROOMS = ("server", "accounts", "store", "wire", "manifest", "strictjson", "names", "repository")
"""Whose limits a served registry has."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in force; `setting` is what it can be changed by (None: nothing)."""

    value: float
    unit: str
    about: str
    setting: str | None

    @property
    def shown(self) -> str:
        """The value with its unit, as people read it."""
        from killick.server.configuration.values import duration_text, size_text

        if self.unit == "bytes":
            return size_text(int(self.value))
        if self.unit == "seconds":
            return duration_text(timedelta(seconds=self.value))
        return f"{self.value:g} {self.unit}" if self.value < 10**6 else f"{self.value} {self.unit}"

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "about": self.about,
            "value": self.value,
            "unit": self.unit,
            "setting": self.setting,
        }


def limits_in_force(configuration: Configuration) -> list[Limit]:
    """Return every limit of a registry that is served by `configuration`."""
    from killick.bounds import bounds
    from killick.server.configuration import settings_of

    _import_all()
    settable = [
        _of_setting(one, getattr(configuration.limits, one.name.partition(".")[2]))
        for one in settings_of(type(configuration))
        if one.name.startswith("limits.")
    ]
    fixed = [Limit(one.value, one.unit, one.about, None) for one in bounds()]
    return settable + fixed


def _of_setting(one: Setting, value: timedelta | float) -> Limit:
    if isinstance(value, timedelta):
        return Limit(value.total_seconds(), "seconds", one.help, one.name)
    return Limit(value, one.unit, one.help, one.name)


def _import_all() -> None:
    """Import all modules that may state a limit."""
    for room in _ROOMS:
        module = importlib.import_module(f"killick.{room}")
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"killick.{room}."):
            importlib.import_module(found.name)
