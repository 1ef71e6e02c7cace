"""The configuration in force, as TOML that `load` takes back; secrets are left out."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from killick.server.configuration.values import Size, size_text, table_of, written


def shown(section: Any, name: str = "") -> str:  # noqa: ANN401 - any dataclass of settings
    """Return a section, with those within it."""
    lines: list[str] = []
    below: list[str] = []
    hints = get_type_hints(type(section))
    for item in fields(section):
        value, path = getattr(section, item.name), f"{name}.{item.name}".lstrip(".")
        if is_dataclass(value):
            below.append(f"\n[{path}]\n{shown(value, path)}")
        elif table_of(hints[item.name]) is not None:
            below += [f"\n[[{path}]]\n{shown(row, path)}" for row in value]
        else:
            lines.append(_line(item.name, value, hints[item.name], item.metadata["secret"]))
    return "".join([*(line + "\n" for line in lines), *below])


def _line(key: str, value: object, kind: object, secret: bool) -> str:
    if value is None:
        return f"# {key} is not stated"
    if secret:
        return f"# {key} is stated, and not shown"
    if kind is Size and isinstance(value, int):
        return f'{key} = "{size_text(value)}"'
    return f"{key} = {written(value)}"
