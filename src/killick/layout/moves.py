"""The ledger that travels in an archive: one move a line, oldest first, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, get_args

from killick import strictjson
from killick.digest import Digest
from killick.errors import ContentError, KillickError, LimitExceeded, UsageError
from killick.manifest import Descriptor
from killick.moments import rfc3339
from killick.names import Tag
from killick.repository import Cause, Kind, Move

LEDGER_FILE = "killick/ledger.jsonl"
MOST_LEDGER_BYTES = 64 * 1024 * 1024
MOST_LINES = 500_000
_KINDS = get_args(Kind)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")


def to_lines(moves: Iterable[Move]) -> bytes:
    """Return the content of the file for `moves`, a line each, in the order of their repositories.

    Within a repository they are put in the order in which they happened.
    """
    ordered = sorted(set(moves), key=lambda m: (m.repository, m.sequence))
    return b"".join(strictjson.compact(_to_json(move)) + b"\n" for move in ordered)


def from_lines(raw: bytes) -> Iterator[Move]:
    """Yield the moves in the content of such a file.

    Raises:
        ContentError: it is not what `to_lines` makes.
        LimitExceeded: it has more than 500,000 lines.
    """
    lines = raw.splitlines()
    if len(lines) > MOST_LINES:
        raise LimitExceeded(f"{LEDGER_FILE} has more than {MOST_LINES} lines", side="file")
    for number, line in enumerate(lines, 1):
        try:
            yield _from_json(strictjson.loads(line, LEDGER_FILE))
        except (KillickError, LookupError, TypeError) as error:
            raise ContentError(f"line {number} of {LEDGER_FILE} is no move", side="file") from error


def _to_json(move: Move) -> dict[str, Any]:
    return {
        "sequence": move.sequence,
        "time": rfc3339(move.time),
        "repository": move.repository,
        "tag": str(move.tag),
        "to": move.to.plain().to_json() if move.to else None,
        "digest": str(move.to.digest) if move.to else None,
        "previous": str(move.previous) if move.previous else None,
        "kind": move.cause.kind,
        "actor": move.cause.actor,
        "origin": move.cause.origin,
        "authoritative": move.cause.authoritative,
    }


def _from_json(fields: dict[str, Any]) -> Move:
    to, previous = fields["to"], fields["previous"]
    sequence, authoritative = fields["sequence"], fields["authoritative"]
    if not isinstance(sequence, int) or sequence < 0 or not isinstance(authoritative, bool):
        raise UsageError("a field has a wrong type")
    if fields["kind"] not in _KINDS:
        raise UsageError("an unknown kind of move")
    cause = Cause(fields["kind"], _text(fields, "actor"), _text(fields, "origin"), authoritative)
    return Move(
        sequence,
        _time(_text(fields, "time")),
        _text(fields, "repository"),
        Tag(_text(fields, "tag")),
        Descriptor.from_json(to).plain() if to is not None else None,
        Digest.parse(previous) if previous is not None else None,
        cause,
    )


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str) or len(value) > 1024:
        raise UsageError(f"{key} is no text")
    return value


def _time(text: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UsageError("no time")
