"""The ledger that travels in an archive: one move a line, oldest first, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from killick import strictjson
from killick.errors import ContentError, LimitExceeded
from killick.moves import from_json, to_json
from killick.repository import Move

LEDGER_FILE = "killick/ledger.jsonl"
MOST_LEDGER_BYTES = 64 * 1024 * 1024
MOST_LINES = 500_000


def to_lines(moves: Iterable[Move]) -> bytes:
    """Return the content of the file for `moves`, a line each, in the order of their repositories.

    Within a repository they are put in the order in which they happened.
    """
    ordered = sorted(set(moves), key=lambda m: (m.repository, m.sequence))
    return b"".join(strictjson.compact(to_json(move)) + b"\n" for move in ordered)


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
            yield from_json(strictjson.loads(line, LEDGER_FILE), "it")
        except ContentError as error:
            raise ContentError(f"line {number} of {LEDGER_FILE} is no move", side="file") from error
