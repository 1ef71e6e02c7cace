"""From a file, the environment and flags to one configuration: the later ones win."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from killick.bounds import bound
from killick.errors import UsageError
from killick.server.configuration.sections import Configuration
from killick.server.configuration.table import Setting, Stated, fill, settings_of

MOST_BYTES = bound(1024 * 1024, "bytes", "file of settings")
"""The longest file of settings that is read."""

PREFIX = "KILLICK_SERVE_"


def load(
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, tuple[str, str]] | None = None,
) -> Configuration:
    """Return the configuration.

    `flags` maps the full names of settings to their values, as text, and to the flag as it was
    typed (which errors name).

    Raises:
        UsageError: one of the layers is wrong; the message says which, and where in it.
    """
    tree = {} if file is None else _from_file(file)
    for layer in (_from_environment(environment), _from_flags(flags or {})):
        for name, stated in layer.items():
            _graft(tree, name.split("."), stated)
    return fill(Configuration, tree)


def assignments(texts: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return flags as `load` takes them, from `section.key=value` each.

    Raises:
        UsageError: one has no `=`.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text} states no value", hint="write --set section.key=value")
        found[name.strip()] = (value.strip(), f"--set {name.strip()}")
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror})", side="file") from None
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES} bytes", side="file")
    try:
        values = tomllib.loads(raw.decode())
    except UnicodeError:
        raise UsageError(f"{path} is not UTF-8", side="file") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML ({error})", side="file") from None
    return {key: _stated(value, key, path) for key, value in values.items()}


def _stated(value: object, name: str, path: Path) -> Any:  # noqa: ANN401 - a tree
    if isinstance(value, dict):
        return {key: _stated(inner, f"{name}.{key}", path) for key, inner in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [_stated(item, f"{name}[{n}]", path) for n, item in enumerate(value, 1)]
    return Stated(value, f"{path}: {name}")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Stated]:
    known = {one.variable: one.name for one in settings_of(Configuration)}
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        if variable not in known:
            near = get_close_matches(variable, known, 1)
            hint = (
                f"did you mean {near[0]}?" if near else "killick serve --check lists all settings"
            )
            raise UsageError(f"{variable} is the variable of no setting", hint=hint)
        found[known[variable]] = Stated(value, variable, is_text=True)
    return found


def _from_flags(flags: Mapping[str, tuple[str, str]]) -> dict[str, Stated]:
    known: dict[str, Setting] = {one.name: one for one in settings_of(Configuration)}
    found = {}
    for name, (value, flag) in flags.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = (
                f"did you mean {near[0]}?" if near else "killick serve --check lists all settings"
            )
            raise UsageError(f"{flag} is no setting", hint=hint)
        found[name] = Stated(value, flag, is_text=True)
    return found


def _graft(tree: dict[str, Any], parts: list[str], stated: Stated) -> None:
    *sections, key = parts
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the file has a value where a section belongs, and `fill` says so
        tree = inner
    tree[key] = stated
