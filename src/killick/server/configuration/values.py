"""Values of settings: what a type takes, in TOML and as text, and how it is written.

    bool        true               timedelta   "90s", "12h", "30d", "1h30m"
    int         4                  Size        "10GiB", "500MB", 4096
    float       0.5                Path        "/var/lib/killick" (`~` is the home folder)
    str         "text"             Literal     one of its words
    tuple[T, …] ["a", "b"]         T | None    T, or left out

In the environment and in flags everything is text: a tuple is written with commas between.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NewType, Union, get_args, get_origin

Size = NewType("Size", int)
"""A number of bytes."""

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|d|h|m|s))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|d|h|m|s)")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]i?B|B)?")
_FACTORS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}


class WrongValue(Exception):
    """A value that its setting does not take; the text says what it takes."""


def read(kind: Any, value: object, *, is_text: bool) -> Any:  # noqa: ANN401 - types are the input
    """Return `value` as the type `kind`; `is_text` where it is none of TOML's, but plain text.

    Raises:
        WrongValue: it is none.
    """
    inner = optional(kind)
    if inner is not None:
        return None if is_text and value == "" else read(inner, value, is_text=is_text)
    if get_origin(kind) is tuple:
        return _read_tuple(get_args(kind)[0], value, is_text=is_text)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise WrongValue(f"must be one of {', '.join(get_args(kind))}")
        return value
    if is_text and kind in _FROM_TEXT:
        return _FROM_TEXT[kind](str(value))
    return _FROM_TOML[kind](value)


def optional(kind: Any) -> Any:  # noqa: ANN401 - types are the input
    """Return T where `kind` is `T | None`; else None."""
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = (arm for arm in get_args(kind) if arm is not type(None))
        return inner
    return None


def table_of(kind: Any) -> type | None:  # noqa: ANN401 - types are the input
    """Return the dataclass whose tables `kind` is an array of; else None."""
    arguments = get_args(kind)
    if get_origin(kind) is tuple and is_dataclass(arguments[0]):
        return arguments[0] if isinstance(arguments[0], type) else None
    return None


def written(value: object) -> str:
    """Return a value as TOML; `read` takes it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return f'"{duration_text(value)}"'
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def duration_text(value: timedelta) -> str:
    """Return a duration as it is written in settings, exact to the millisecond: `1h30m`."""
    left = round(value / timedelta(milliseconds=1))
    parts = []
    for unit, seconds in _UNITS.items():
        number, left = divmod(left, round(seconds * 1000))
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def size_text(value: int) -> str:
    """Return a size with the largest unit that states it exactly: `10GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _FACTORS[unit] == 0:
            return f"{value // _FACTORS[unit]}{unit}"
    return f"{value}B"


def _read_tuple(kind: Any, value: object, *, is_text: bool) -> tuple[Any, ...]:  # noqa: ANN401 - types are the input
    if is_text:
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    if not isinstance(value, list):
        raise WrongValue("must be a list")
    return tuple(read(kind, item, is_text=is_text) for item in value)


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongValue("must be true or false")
    return value


def _bool_from(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise WrongValue("must be true or false")
    return _BOOLEANS[text.lower()]


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongValue("must be a whole number")
    return value


def _int_from(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise WrongValue("must be a whole number")
    return int(text)


def _float(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise WrongValue("must be a number")
    return float(value)


def _float_from(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", text):
        raise WrongValue("must be a number")
    return float(text)


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise WrongValue("must be a text")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise WrongValue("must be a path")
    return Path(value).expanduser()


def _duration(value: object) -> timedelta:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise WrongValue('must be a duration such as "90s", "12h" or "30d"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise WrongValue("is too long a time") from None


def _size(value: object) -> Size:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Size(value)
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise WrongValue('must be a size such as "512MiB", "10GiB" or a number of bytes')
    return Size(round(float(match[1]) * _FACTORS[match[2] or "B"]))


_FROM_TOML: Mapping[Any, Callable[[object], Any]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
    timedelta: _duration,
    Size: _size,
}
_FROM_TEXT: Mapping[Any, Callable[[str], Any]] = {
    bool: _bool_from,
    int: _int_from,
    float: _float_from,
}
