"""The `WWW-Authenticate` header: what a server wants to see before it answers (RFC 9110, 11.6.1).

One header may hold several challenges, separated by the same comma that separates the parameters
of one challenge; so it is scanned once, from left to right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_CHARACTERS = 16 * 1024
MOST_CHALLENGES = 16
MOST_PARAMETERS = 32

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - "token" is what the grammar calls a word
_SEPARATORS = re.compile(r"[\s,]*")
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))(?![^\s,])')
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+(?={_TOKEN})|(?=[\s,]|$))")
_TOKEN_68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[\s,]|$)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in: the scheme, in lower case, and its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str]

    def __str__(self) -> str:
        listed = ",".join(f'{name}="{_quoted(v)}"' for name, v in self.parameters.items())
        return f"{self.scheme.title()} {listed}" if listed else self.scheme.title()


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """Return the challenges in one or more `WWW-Authenticate` headers, in their order.

    Scanning stops at the first thing that is no challenge, at a header longer than 16 KiB, and at
    16 challenges; of a challenge, 32 parameters are taken, and the first of equal names counts.
    """
    found: list[Challenge] = []
    for value in values:
        if len(value) <= MOST_CHARACTERS:
            found += _scan(value)
    return found[:MOST_CHALLENGES]


def _scan(value: str) -> Iterable[Challenge]:
    position = _after_separators(value, 0)
    while match := _SCHEME.match(value, position):
        parameters: dict[str, str] = {}
        position = match.end()
        while parameter := _PARAMETER.match(value, position):
            quoted, plain = parameter[2], parameter[3]
            text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            if len(parameters) < MOST_PARAMETERS:
                parameters.setdefault(parameter[1].lower(), text)
            position = _after_separators(value, parameter.end())
        if not parameters and (token := _TOKEN_68.match(value, position)) and position > 0:
            position = token.end() if value[position - 1] in " \t" else position
        yield Challenge(match[1].lower(), parameters)
        position = _after_separators(value, position)


def _after_separators(value: str, position: int) -> int:
    match = _SEPARATORS.match(value, position)
    return match.end() if match else position


def _quoted(text: str) -> str:
    """Return `text` as it may stand in quotes: no line breaks, quotes and backslashes escaped."""
    plain = "".join(c for c in text if c.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')
