"""JSON from outside, read strictly: no duplicate keys, no NaN, no bottomless nesting.

Two parsers that disagree on a document can be made to see two different images in the same bytes;
so whatever RFC 8259 leaves to the parser is refused here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from killick.bounds import bound
from killick.errors import ContentError, LimitExceeded

MOST_DEPTH = bound(64, "levels", "depth of JSON")

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BRACKETS = b"[]{}"
_PLAIN = bytes(sorted(set(range(256)) - set(_BRACKETS + b'"')))
"""What tells nothing of how deep a document is, as long as no quote in it is escaped."""
_OTHERS = bytes(sorted(set(range(256)) - set(_BRACKETS)))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_OPEN = ord("[")


def loads(data: bytes, what: str) -> Any:  # noqa: ANN401 - JSON is any of six types
    """Return the value that `data`, UTF-8 JSON, stands for; `what` names it in errors.

    Raises:
        ContentError: not JSON, not UTF-8, a key twice in one object, half a character (a lone
            surrogate), or a number that is none or too large.
        LimitExceeded: nested deeper than `MOST_DEPTH`.
    """
    _check_depth(data, what)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if _SURROGATE.search(data):
            compact(value)  # fails on half a character, which no reader could write again
        return value
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(":")[0]
        raise ContentError(f"{what} is not valid JSON ({reason})", side="remote") from None


def _check_depth(data: bytes, what: str) -> None:
    """Refuse deep documents before the recursive parser sees them."""
    if data.count(b"{") + data.count(b"[") <= MOST_DEPTH:
        return
    if b"\\" not in data:
        data = data.translate(None, _PLAIN)
    brackets = left = _STRINGS.sub(b"", data).translate(_SQUARE, _OTHERS)
    for _ in range(MOST_DEPTH):  # each round takes away the innermost pairs: one level
        left = left.replace(b"[]", b"")
        if not left:
            return
    depth = 0  # too deep, or not in pairs; of what is not, the parser knows more to say
    for bracket in brackets:
        depth += 1 if bracket == _OPEN else -1
        if depth > MOST_DEPTH:
            raise LimitExceeded(f"{what} is nested deeper than {MOST_DEPTH} levels", side="remote")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def compact(value: Any) -> bytes:  # noqa: ANN401 - JSON is any of six types
    """Return `value` as canonical JSON: keys sorted, no spaces, UTF-8; what the ledger hashes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
