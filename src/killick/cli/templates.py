"""Templates for `--format`: the part of Go's text/template that docker's users write.

`{{.Field.Sub}}`, `{{.}}`, `$`, variables, pipelines, parentheses, `if`/`else if`/`else`, `range`
and `with`, trimming (`{{-`, `-}}`), comments, and the functions of `template_functions`. A template
only ever looks things up in plain data (mappings, lists, texts, numbers): no attribute, method or
module of Python can be reached from one.

A template is parsed once, by recursive descent, into nested functions of a `Scope`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from killick.cli import template_nodes as nodes
from killick.cli.template_functions import FUNCTIONS, Function
from killick.cli.template_nodes import Scope, Text, Value
from killick.errors import UsageError

MOST_DEPTH = 40
MOST_CHARACTERS = 64 * 1024

_TOKEN = re.compile(
    r"""(?P<space>\s*)(?:(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?P<number>-?\d{1,18}(?:\.\d{1,18})?(?![\w.]))
    |(?P<variable>\$\w*)|(?P<field>\.[^\W\d]\w*)|(?P<dot>\.)|(?P<word>[^\W\d]\w*)
    |(?P<mark>:=|[|(),=]))""",
    re.VERBOSE,
)
_CLOSE = re.compile(r"(\s+-|\s*)\}\}")
_COMMENT = re.compile(r"\s?/\*.*?\*/(\s-)?\}\}", re.DOTALL)
_DECLARATIONS = (["$", ":="], ["$", ",", "$", ":="])


class _Token(NamedTuple):
    kind: str
    text: str
    spaced: bool
    """Whether space stands before it: `.A.B` is one value, `.A .B` are two."""


class Template:
    """A parsed template. `fields` are the first names of what it looks up in the data itself.

    Raises `UsageError` where `text` is no template that Killick understands.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise UsageError(f"the template has more than {MOST_CHARACTERS} characters")
        parser = _Parser(_pieces(text))
        self._render = parser.template()
        self.fields = frozenset(parser.fields)

    def render(self, data: object, functions: Mapping[str, Function] = FUNCTIONS) -> str:
        """Return the template filled in with `data`.

        Raises:
            UsageError: a field does not exist, or a function can't work on what it was given.
        """
        return self._render(Scope(data, {"$": data}, functions))


def _pieces(text: str) -> Iterator[str | list[_Token]]:
    """Split a template into the texts between actions, and the tokens of each action."""
    position, trim = 0, False
    while True:
        start = text.find("{{", position)
        plain = text[position:] if start < 0 else text[position:start]
        plain = plain.lstrip() if trim else plain
        if start < 0:
            yield plain
            return
        begin = start + 2
        if re.match(r"-\s", text[begin : begin + 2]):
            plain, begin = plain.rstrip(), begin + 1
        yield plain
        if comment := _COMMENT.match(text, begin):
            position, trim = comment.end(), comment[1] is not None
        else:
            tokens, position, trim = _action(text, begin)
            yield tokens


def _action(text: str, position: int) -> tuple[list[_Token], int, bool]:
    """Return the tokens of the action at `position`, where it ends, and whether it trims."""
    tokens: list[_Token] = []
    while True:
        if close := _CLOSE.match(text, position):
            return tokens, close.end(), close[1].endswith("-")
        match = _TOKEN.match(text, position)
        if match is None:
            shown = text[position : position + 20].strip()
            raise _bad(f"unexpected {shown!r}" if shown else "an action is not closed by }}")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], bool(match["space"])))
        position = match.end()


class _Parser:
    """Reads pieces, one after the other; methods return what evaluates the thing they read."""

    def __init__(self, pieces: Iterator[str | list[_Token]]) -> None:
        self._pieces = pieces
        self._tokens: list[_Token] = []  # of the action at hand, the next one last
        self._depth = 0
        self._moved_dot = 0
        self.fields: set[str] = set()

    def template(self) -> Text:
        text, end = self._block()
        if end is not None:
            raise _bad(f"unexpected {{{{{end}}}}}")
        return text

    def _block(self) -> tuple[Text, str | None]:
        """Read up to the `end` or `else` of this block, which is returned beside it."""
        self._deeper(1)
        parts: list[Text] = []
        end = None
        for piece in self._pieces:
            if isinstance(piece, str):
                parts.append(nodes.plain(piece))
                continue
            self._tokens = piece[::-1]
            if self._peek() in ("end", "else"):
                end = self._tokens.pop().text
                break
            parts.append(self._statement())
        self._deeper(-1)
        return nodes.joined(parts), end

    def _statement(self) -> Text:
        word = self._peek()
        if word in ("if", "with", "range"):
            self._tokens.pop()
            return self._branch(word)
        names, value = self._declaration()
        self._finish()
        if len(names) > 1:
            raise _bad("only range declares two variables")
        return nodes.declared(names[0], value) if names else nodes.shown(value)

    def _branch(self, word: str) -> Text:
        names, value = self._declaration()
        self._finish()
        self._moved_dot += word != "if"
        then, end = self._block()
        self._moved_dot -= word != "if"
        otherwise = nodes.plain("")
        if end == "else":
            otherwise, end = self._otherwise()
        if end != "end":
            raise _bad(f"{{{{{word}}}}} is not closed by {{{{end}}}}")
        self._finish()
        if word == "range":
            return nodes.ranging(names, value, then, otherwise)
        return nodes.chosen(names, value, then, otherwise, moves=word == "with")

    def _otherwise(self) -> tuple[Text, str | None]:
        word = self._peek()
        if word not in ("if", "with"):
            self._finish()
            return self._block()
        self._tokens.pop()
        self._deeper(1)
        nested = self._branch(word)
        self._deeper(-1)
        return nested, "end"

    def _declaration(self) -> tuple[list[str], Value]:
        """Read `$x := pipeline`, `$k, $v := pipeline`, or a pipeline alone."""
        ahead = self._tokens[:-5:-1]
        kinds = ["$" if t.kind == "variable" else t.text for t in ahead]
        for pattern in _DECLARATIONS:
            if kinds[: len(pattern)] == pattern:
                del self._tokens[-len(pattern) :]
                names = [t.text for t in ahead[: len(pattern)] if t.kind == "variable"]
                return names, self._pipeline()
        return [], self._pipeline()

    def _pipeline(self) -> Value:
        value = self._command(None)
        while self._peek() == "|":
            self._tokens.pop()
            value = self._command(value)
        return value

    def _command(self, piped: Value | None) -> Value:
        """Read a function with its arguments, or one value."""
        word = self._tokens[-1] if self._tokens else _Token("", "", False)
        if word.kind == "word" and word.text not in nodes.CONSTANTS:
            self._tokens.pop()
            return self._call(word.text, self._arguments() + ([piped] if piped else []))
        values = self._arguments()
        if not values:
            raise _bad("a value is missing")
        if len(values) > 1 or piped:
            raise _bad("only a function takes arguments")
        return values[0]

    def _call(self, word: str, arguments: list[Value]) -> Value:
        if word not in FUNCTIONS:
            raise _bad(f"it has no function {word!r}", f"there are {', '.join(sorted(FUNCTIONS))}")
        return nodes.called(word, arguments)

    def _arguments(self) -> list[Value]:
        values: list[Value] = []
        while self._tokens and (self._tokens[-1].kind != "mark" or self._peek() == "("):
            values.append(self._operand())
        return values

    def _operand(self) -> Value:
        """Read one value, and the fields that follow it without a space."""
        token = self._tokens.pop()
        value: Value
        if token.kind == "field":
            if not self._moved_dot:
                self.fields.add(token.text[1:])
            value = nodes.field(nodes.dot, token.text[1:])
        elif token.text == "(":
            value = self._parenthesis()
        elif token.kind == "word" and token.text not in nodes.CONSTANTS:
            value = self._call(token.text, [])
        else:
            value = nodes.simple(token.kind, token.text)
        while self._tokens and self._tokens[-1].kind == "field" and not self._tokens[-1].spaced:
            value = nodes.field(value, self._tokens.pop().text[1:])
        return value

    def _parenthesis(self) -> Value:
        self._deeper(1)
        value = self._pipeline()
        self._deeper(-1)
        if self._peek() != ")":
            raise _bad("a ( is not closed")
        self._tokens.pop()
        return value

    def _peek(self) -> str:
        return self._tokens[-1].text if self._tokens else ""

    def _finish(self) -> None:
        if self._tokens:
            raise _bad(f"unexpected {self._peek()!r}")

    def _deeper(self, by: int) -> None:
        self._depth += by
        if self._depth > MOST_DEPTH:
            raise _bad(f"it is nested deeper than {MOST_DEPTH} levels")


def _bad(reason: str, hint: str | None = None) -> UsageError:
    return UsageError(
        f"the --format template can't be read: {reason}",
        hint=hint or "a template looks like '{{.Repository}}:{{.Tag}}'",
    )
