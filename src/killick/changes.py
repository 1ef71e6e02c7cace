"""Dockerfile instructions that change an image's config: what `import --change` takes."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from killick import strictjson
from killick.errors import ContentError, UsageError

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?")
_SIGNAL = re.compile(r"[A-Za-z0-9+]{1,32}")
_VARIABLE = re.compile(r"[^=\s\0]+")
_SHELL = ["/bin/sh", "-c"]

Settings = dict[str, Any]


def config_of(changes: Iterable[str]) -> Settings:
    """Return the `config` object of an image's config after `changes`, in their order.

    Raises:
        UsageError: one is no instruction, or none that can be used here.
    """
    settings: Settings = {}
    for change in changes:
        words = change.strip().split(None, 1)
        how = _INSTRUCTIONS.get(words[0].upper()) if words else None
        if how is None:
            raise UsageError(
                f"{change!r} can't be used as a change", hint=f"use one of {_USABLE} in front"
            )
        rest = words[1].strip() if len(words) == 2 else ""
        if not rest or "\0" in rest:
            raise UsageError(f"{change!r} lacks what is to be set")
        how(settings, rest)
    return settings


def _command(key: str) -> Callable[[Settings, str], None]:
    def change(settings: Settings, rest: str) -> None:
        listed = _json_list(rest)
        settings[key] = [*_SHELL, rest] if listed is None else listed

    return change


def _env(settings: Settings, rest: str) -> None:
    listed = settings.setdefault("Env", [])
    for key, value in _pairs(rest).items():
        listed[:] = [entry for entry in listed if entry.partition("=")[0] != key]
        listed.append(f"{key}={value}")


def _label(settings: Settings, rest: str) -> None:
    settings.setdefault("Labels", {}).update(_pairs(rest))


def _workdir(settings: Settings, rest: str) -> None:
    settings["WorkingDir"] = posixpath.normpath(
        posixpath.join("/", settings.get("WorkingDir", "/"), rest)
    )


def _text(key: str, pattern: re.Pattern[str]) -> Callable[[Settings, str], None]:
    def change(settings: Settings, rest: str) -> None:
        if not pattern.fullmatch(rest):
            raise UsageError(f"{rest!r} can't be the {key} of an image")
        settings[key] = rest

    return change


def _expose(settings: Settings, rest: str) -> None:
    ports = settings.setdefault("ExposedPorts", {})
    for word in rest.split():
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not 0 < first <= last < 65536:
            raise UsageError(f"{word!r} is not a port", hint="write it as 8080 or 53/udp")
        protocol = match[3] if match and match[3] else "tcp"
        ports.update({f"{port}/{protocol}": {} for port in range(first, last + 1)})


def _volume(settings: Settings, rest: str) -> None:
    paths = _json_list(rest)
    settings.setdefault("Volumes", {}).update({p: {} for p in paths or rest.split()})


def _pairs(rest: str) -> dict[str, str]:
    """Return what `a=1 b="2 3"` sets, or the old form `a 1`."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise UsageError(f"{rest!r} can't be read: {error}") from None
    if words and "=" not in words[0]:
        key, _, value = " ".join(rest.split(None, 1)).partition(" ")
        pairs = {key: value} if value else {}
    else:
        pairs = {key: value for key, _, value in (word.partition("=") for word in words)}
        if not all("=" in word for word in words):
            raise UsageError(f"{rest!r} is not of the form name=value")
    if not pairs or not all(_VARIABLE.fullmatch(key) for key in pairs):
        raise UsageError(f"{rest!r} is not of the form name=value")
    return pairs


def _json_list(rest: str) -> list[str] | None:
    """Return the list of strings that `rest` is in JSON, or None where it is none."""
    try:
        value = strictjson.loads(rest.encode(), "the change") if rest.startswith("[") else None
    except (ContentError, UnicodeEncodeError):
        return None
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return value
    return None


_INSTRUCTIONS: dict[str, Callable[[Settings, str], None]] = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "STOPSIGNAL": _text("StopSignal", _SIGNAL),
    "USER": _text("User", re.compile(r"[^\s\0]{1,256}")),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
_USABLE = ", ".join(_INSTRUCTIONS)
