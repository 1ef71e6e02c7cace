"""The functions of `--format` templates: docker's, and those of Go's text/template."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from killick.errors import UsageError

Function = Callable[..., object]

MOST_PADDING = 1000


class Record(dict[str, object]):
    """A mapping with known fields: looking up another one is a mistake, not an absence.

    `document`, if given, makes what `{{json .}}` shows instead of the fields.
    """

    __slots__ = ("document",)

    def __init__(
        self,
        fields: Mapping[str, object],
        document: Callable[[], Mapping[str, object]] | None = None,
    ) -> None:
        super().__init__(fields)
        self.document = document


_UNSAFE = re.compile("[\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def to_json(value: object, indent: int | None = None) -> str:
    """Return `value` as JSON, on one line unless `indent` is given.

    What could confuse a terminal or can't be encoded is escaped, as JSON allows.
    """
    if isinstance(value, Record) and value.document is not None:
        value = value.document()
    text = json.dumps(
        value, ensure_ascii=False, indent=indent, separators=(",", ":") if indent is None else None
    )
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def printed(value: object) -> str:
    """Return `value` as Go prints it: `[a b]`, `map[k:v]`, `true`, `<no value>`."""
    return value if isinstance(value, str) else "<no value>" if value is None else _within(value)


def _within(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_within(value[key])}' for key in sorted(value))}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(_within, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fails(name: str, reason: str) -> UsageError:
    return UsageError(f"the --format template can't be filled in: {name}: {reason}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _fails(name, f"{printed(value)[:40]!r} is not a text")
    return value


def _number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _fails(name, f"{printed(value)[:40]!r} is not a whole number")
    return value


def _title(value: object) -> str:
    return re.sub(r"\b\w", lambda match: match[0].upper(), _text("title", value))


def _split(value: object, separator: object) -> list[str]:
    text, between = _text("split", value), _text("split", separator)
    return text.split(between) if between else list(text)


def _join(value: object, separator: object) -> str:
    if value is not None and not isinstance(value, (list, tuple)):
        raise _fails("join", f"{printed(value)[:40]!r} is not a list")
    return _text("join", separator).join(map(printed, value or ()))


def _truncate(value: object, length: object) -> str:
    return _text("truncate", value)[: max(0, _number("truncate", length))]


def _pad(value: object, before: object, after: object) -> str:
    sizes = [_number("pad", before), _number("pad", after)]
    left, right = (" " * max(0, min(size, MOST_PADDING)) for size in sizes)
    text = _text("pad", value)
    return f"{left}{text}{right}" if text else ""


def _length(value: object) -> int:
    if not isinstance(value, (str, Mapping, list, tuple)):
        raise _fails("len", f"{printed(value)[:40]!r} has no length")
    return len(value.encode(errors="surrogatepass")) if isinstance(value, str) else len(value)


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(_text("index", key))
        elif isinstance(value, (list, tuple)):
            position = _number("index", key)
            if not 0 <= position < len(value):
                raise _fails("index", f"{position} is out of range, there are {len(value)}")
            value = value[position]
        else:
            raise _fails("index", f"{printed(value)[:40]!r} has no parts")
    return value


def _print(*values: object) -> str:
    """Join values as Go's Sprint: a space only between two that are no texts."""
    text = _within(values[0]) if values else ""
    for left, right in pairwise(values):
        gap = "" if isinstance(left, str) or isinstance(right, str) else " "
        text += gap + _within(right)
    return text


def _println(*values: object) -> str:
    return " ".join(map(_within, values)) + "\n"


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, (str, list, tuple)):
        raise _fails("slice", f"{printed(value)[:40]!r} has no parts")
    first, last = [*(_number("slice", bound) for bound in bounds), *(0, len(value))[len(bounds) :]]
    if not 0 <= first <= last <= len(value):
        raise _fails("slice", f"{first} to {last} is out of range, there are {len(value)}")
    return value[first:last]


_VERB = re.compile(r"%(?:%|([-0]?)(\d{0,3})([a-zA-Z])|.?)", re.DOTALL)


def _printf(pattern: object, *values: object) -> str:
    """Fill in `%s`, `%v`, `%d`, `%t`, `%x` and `%q`, with a width."""
    left = list(values)

    def fill(match: re.Match[str]) -> str:
        flag, width, verb = match.groups()
        if match[0] == "%%":
            return "%"
        if verb is None or verb not in "svdtxq":
            raise _fails("printf", f"{match[0]!r} is none of %s %v %d %t %x %q")
        if not left:
            raise _fails("printf", f"nothing is left for {match[0]}")
        text = _formatted(verb, left.pop(0))
        size = int(width or 0)
        return text.ljust(size) if flag == "-" else text.rjust(size, flag or " ")

    text = _VERB.sub(fill, _text("printf", pattern))
    if left:
        raise _fails("printf", "there are more values than places for them")
    return text


def _formatted(verb: str, value: object) -> str:
    if verb == "d":
        return str(_number("printf", value))
    if verb == "x":
        text = isinstance(value, str)
        return printed(value).encode().hex() if text else format(_number("printf", value), "x")
    return json.dumps(printed(value), ensure_ascii=False) if verb == "q" else printed(value)


def _equal(first: object, *others: object) -> bool:
    return any(type(first) is type(other) and first == other for other in others)


def _compared(name: str, test: Callable[[int], bool]) -> Function:
    def compare(left: object, right: object) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return test((left > right) - (left < right))
        a, b = _number(name, left), _number(name, right)
        return test((a > b) - (a < b))

    return compare


def _and(*values: object) -> object:
    return next((value for value in values if not value), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if value), values[-1])


def _limited(name: str, function: Function, least: int, most: int) -> Function:
    """Return `function`, telling a wrong number of arguments as the user's mistake."""

    def call(*values: object) -> object:
        if not least <= len(values) <= most:
            raise _fails(name, f"it can't take {len(values)} value{'s' * (len(values) != 1)}")
        return function(*values)

    return call


_MANY = 10_000
_TABLE: tuple[tuple[str, Function, int, int], ...] = (
    ("and", _and, 1, _MANY),
    ("eq", _equal, 2, _MANY),
    ("ge", _compared("ge", lambda order: order >= 0), 2, 2),
    ("gt", _compared("gt", lambda order: order > 0), 2, 2),
    ("index", _index, 1, _MANY),
    ("join", _join, 2, 2),
    ("json", to_json, 1, 1),
    ("le", _compared("le", lambda order: order <= 0), 2, 2),
    ("len", _length, 1, 1),
    ("lower", lambda value: _text("lower", value).lower(), 1, 1),
    ("lt", _compared("lt", lambda order: order < 0), 2, 2),
    ("ne", lambda left, right: not _equal(left, right), 2, 2),
    ("not", lambda value: not value, 1, 1),
    ("or", _or, 1, _MANY),
    ("pad", _pad, 3, 3),
    ("print", _print, 0, _MANY),
    ("printf", _printf, 1, _MANY),
    ("println", _println, 0, _MANY),
    ("slice", _slice, 1, 3),
    ("split", _split, 2, 2),
    ("title", _title, 1, 1),
    ("truncate", _truncate, 2, 2),
    ("upper", lambda value: _text("upper", value).upper(), 1, 1),
)

FUNCTIONS: dict[str, Function] = {entry[0]: _limited(*entry) for entry in _TABLE}
"""All functions, by name."""

_AS_THEY_ARE = {"json": 1, "lower": 1, "title": 1, "truncate": 2, "upper": 1}
HEADER_FUNCTIONS = FUNCTIONS | {
    name: _limited(name, lambda value, *_: value, count, count)
    for name, count in _AS_THEY_ARE.items()
}
"""The functions for a table's headings, which are shown as they are (docker's habit)."""
