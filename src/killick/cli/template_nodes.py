"""What a parsed template is made of: functions from a `Scope` to a text or to a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from killick.cli.template_functions import Function, Record, printed
from killick.errors import UsageError

MOST_TEXT = 16 * 1024 * 1024

CONSTANTS: Mapping[str, object] = {"true": True, "false": False, "nil": None}


@dataclass(slots=True)
class Scope:
    """Where an expression is evaluated: the `.`, the variables, and the functions there are."""

    dot: object
    variables: dict[str, object]
    functions: Mapping[str, Function]

    def inner(self, dot: object) -> Scope:
        """Return a scope within this one: variables declared in it are not seen outside."""
        return Scope(dot, dict(self.variables), self.functions)


Value = Callable[[Scope], object]
Text = Callable[[Scope], str]


def plain(text: str) -> Text:
    """Return the node of a text that stands between actions."""
    return lambda _: text


def joined(parts: Sequence[Text]) -> Text:
    """Return the node of texts one after the other."""

    def join(scope: Scope) -> str:
        text = "".join([part(scope) for part in parts])
        if len(text) > MOST_TEXT:
            raise UsageError("the --format template makes a text of more than 16 MiB")
        return text

    return parts[0] if len(parts) == 1 else join


def shown(value: Value) -> Text:
    """Return the node of a value that is printed."""
    return lambda scope: printed(value(scope))


def declared(name: str, value: Value) -> Text:
    """Return the node of `$name := value`."""

    def declare(scope: Scope) -> str:
        scope.variables[name] = value(scope)
        return ""

    return declare


def chosen(names: Sequence[str], value: Value, then: Text, otherwise: Text, *, moves: bool) -> Text:
    """Return the node of `if`, or of `with`, which moves the dot."""

    def choose(scope: Scope) -> str:
        found = value(scope)
        inner = scope.inner(found if moves and found else scope.dot)
        inner.variables.update(dict.fromkeys(names, found))
        return then(inner) if found else otherwise(inner)

    return choose


def ranging(names: Sequence[str], value: Value, body: Text, otherwise: Text) -> Text:
    """Return the node of `range`; mappings go in the order of their keys, as in Go."""

    def each(scope: Scope) -> str:
        found = value(scope)
        if not found:
            return otherwise(scope.inner(scope.dot))
        if isinstance(found, Mapping):
            pairs = [(key, found[key]) for key in sorted(found)]
        elif isinstance(found, (list, tuple)):
            pairs = list(enumerate(found))
        else:
            raise UsageError(f"the --format template can't range over {printed(found)!r}")
        texts = []
        for pair in pairs:
            inner = scope.inner(pair[1])
            inner.variables.update(zip(names, pair[-len(names) :], strict=True) if names else ())
            texts.append(body(inner))
        return "".join(texts)

    return each


def dot(scope: Scope) -> object:
    """Evaluate `.`."""
    return scope.dot


def simple(kind: str, text: str) -> Value:
    """Return the node of a variable, a constant or a literal."""
    if kind == "dot":
        return dot
    if kind == "variable":
        return _variable(text)
    found: object = CONSTANTS[text] if kind == "word" else _literal(kind, text)
    return lambda _: found


def _variable(name: str) -> Value:
    def look_up(scope: Scope) -> object:
        if name not in scope.variables:
            raise UsageError(f"the --format template uses {name}, which it never sets")
        return scope.variables[name]

    return look_up


def _literal(kind: str, text: str) -> object:
    if kind == "number":
        return float(text) if "." in text else int(text)
    if text.startswith("`"):
        return text[1:-1]
    try:
        return json.loads(text, strict=False)
    except ValueError:
        raise UsageError(f"the --format template has a bad text: {text}") from None


def field(value: Value, name: str) -> Value:
    """Return the node of `value.name`: of a map, a missing key is nothing; all else must exist."""

    def look_up(scope: Scope) -> object:
        found = value(scope)
        if isinstance(found, Mapping) and name in found:
            return found[name]
        if isinstance(found, Record):
            raise UsageError(
                f"the --format template can't be filled in: there is no field .{name}",
                hint=f"there are {', '.join(f'.{key}' for key in found)}",
            )
        if found is None or isinstance(found, Mapping):
            return None
        shown = printed(found)[:40]
        raise UsageError(
            f"the --format template can't be filled in: {shown!r} has no field .{name}"
        )

    return look_up


def called(name: str, arguments: Sequence[Value]) -> Value:
    """Return the node of a function with its arguments."""

    def call(scope: Scope) -> object:
        return scope.functions[name](*[argument(scope) for argument in arguments])

    return call
