"""Sections: frozen dataclasses, and how one is filled from what was stated.

A section is a dataclass whose fields are made by `setting`; its `__post_init__`, if it has one,
looks for combinations that can't be, and raises `Wrong` with the key that is to blame. A field that
is a dataclass is a section within it; one that is `tuple[Dataclass, ...]` is an array of tables
(`[[name]]`), each filled as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, get_type_hints

from killick.errors import UsageError
from killick.server.configuration.values import Size, WrongValue, read, table_of, written

Section = TypeVar("Section")


class Wrong(Exception):
    """A section that can't be as it is: by its setting `key`, because of `message`."""

    def __init__(self, key: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Stated:
    """A value and where it was stated; `is_text` where it is text of the environment or a flag."""

    value: object
    place: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a value must not be below, nor above."""

    least: Any = None
    most: Any = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its full name (`section.key`), its type, its default, and what it is for.

    `unit` is what a number of it counts.
    """

    name: str
    kind: Any
    default: object
    help: str
    secret: bool
    bounds: Bounds
    unit: str

    @property
    def variable(self) -> str:
        """The environment variable that states it."""
        return "KILLICK_SERVE_" + self.name.replace(".", "_").upper()


def setting(
    default: Any = MISSING,  # noqa: ANN401 - of the field's type
    *,
    help: str,  # noqa: A002 - it is that
    bounds: Bounds | None = None,
    secret: bool = False,
    unit: str = "",
) -> Any:  # noqa: ANN401 - dataclasses.field's own habit
    """Return a field that is a setting. Without a default it must be stated."""
    metadata = {"help": help, "bounds": bounds or Bounds(), "secret": secret, "unit": unit}
    return field(default=default, metadata=metadata)


def section(kind: type[Section]) -> Section:
    """Return a field that is a section, of which nothing must be stated."""
    made: Section = field(default_factory=kind)
    return made


def settings_of(kind: type, prefix: str = "") -> Iterator[Setting]:
    """Yield every setting of a section and the sections in it; not those of arrays of tables."""
    for item, hint in _typed(kind):
        name = prefix + item.name
        if is_dataclass(hint) and isinstance(hint, type):
            yield from settings_of(hint, name + ".")
        elif table_of(hint) is None:
            yield _setting(item, hint, name)


def arrays_of(kind: type, prefix: str = "") -> Iterator[tuple[str, type]]:
    """Yield the name and the dataclass of every array of tables in a section."""
    for item, hint in _typed(kind):
        row = table_of(hint)
        if row is not None:
            yield prefix + item.name, row
        elif is_dataclass(hint) and isinstance(hint, type):
            yield from arrays_of(hint, prefix + item.name + ".")


def fill(kind: type[Section], stated: Mapping[str, Any], prefix: str = "") -> Section:
    """Return a section filled from a tree of `Stated`, with dicts for the sections within.

    Arrays of tables are lists of such trees.

    Raises:
        UsageError: a key is unknown, a value is of the wrong type, or a combination can't be.
    """
    values: dict[str, Any] = {}
    left = dict(stated)
    for item, hint in _typed(kind):
        found = left.pop(item.name, None)
        name = prefix + item.name
        if is_dataclass(hint) and isinstance(hint, type):
            values[item.name] = fill(hint, _tree(found, name), name + ".")
        elif (row := table_of(hint)) is not None:
            values[item.name] = tuple(_rows(row, found, name))
        elif found is not None:
            values[item.name] = _value(_setting(item, hint, name), found)
        elif item.default is MISSING:
            raise UsageError(f"{name} must be stated", side="file", hint=item.metadata["help"])
    if left:
        raise _unknown(min(left), left[min(left)], kind, prefix)
    try:
        return kind(**values)
    except Wrong as error:
        blamed = stated.get(error.key)
        place = blamed.place if isinstance(blamed, Stated) else prefix + error.key
        raise UsageError(f"{place} {error.message}", side="file", hint=error.hint) from None


def _rows(row: type[Section], found: object, name: str) -> Iterator[Section]:
    if found is None:
        return
    if isinstance(found, Stated) or not isinstance(found, list):
        place = found.place if isinstance(found, Stated) else name
        raise UsageError(f"{place} must be tables", side="file", hint=f"write each as [[{name}]]")
    for number, tree in enumerate(found, 1):
        yield fill(row, tree, f"{name}[{number}].")


def _tree(found: object, name: str) -> Mapping[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        place = found.place if isinstance(found, Stated) else name
        raise UsageError(f"{place} must be a table", side="file", hint=f"write it as [{name}]")
    return found


def _value(one: Setting, found: object) -> Any:  # noqa: ANN401 - of the setting's type
    if not isinstance(found, Stated):
        raise UsageError(f"{one.name} must be one value, not a table", side="file")
    try:
        value = read(one.kind, found.value, is_text=found.is_text)
        _check_bounds(value, one.bounds)
    except WrongValue as error:
        shown = "" if one.secret else f" (it is {_shown(found.value)})"
        raise UsageError(f"{found.place} {error}{shown}", side="file", hint=one.help) from None
    return value


def _check_bounds(value: Any, bounds: Bounds) -> None:  # noqa: ANN401 - of the setting's type
    if value is None:
        return
    if bounds.least is not None and value < bounds.least:
        raise WrongValue(f"must be at least {written(bounds.least)}")
    if bounds.most is not None and value > bounds.most:
        raise WrongValue(f"must be at most {written(bounds.most)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _unknown(key: str, found: object, kind: type, prefix: str) -> UsageError:
    known = [item.name for item in fields(kind)]
    near = get_close_matches(key, known, 1)
    hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    place = found.place if isinstance(found, Stated) else prefix + key
    return UsageError(f"{place} is no setting", side="file", hint=hint)


def _typed(kind: type) -> Iterator[tuple[Field[Any], Any]]:
    hints = get_type_hints(kind)
    for item in fields(kind):
        yield item, hints[item.name]


def _setting(item: Field[Any], hint: Any, name: str) -> Setting:  # noqa: ANN401 - types are the input
    default = None if item.default is MISSING else item.default
    facts = item.metadata
    unit = "bytes" if hint is Size else facts["unit"]
    return Setting(name, hint, default, facts["help"], facts["secret"], facts["bounds"], unit)
