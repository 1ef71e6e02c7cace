"""The chain of a ledger: how each entry is bound to the one before it, and how to follow that.

The entries of a repository form one chain, whatever tag or origin they are of: each has the SHA-256
of its own canonical JSON, which contains the hash of the entry before it. The hash of the last one,
the *head*, stands for all of them. Who has kept a head can tell whether a later one extends it: the
entries between them, hashed one after the other, must lead from the one to the other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from killick import strictjson
from killick.errors import HistoryRewritten
from killick.moments import rfc3339
from killick.repository import Head, Move

HEADER: Final = "Killick-Head"
"""The response header in which our server says, with each tag, where its ledger ends."""

EMPTY: Final = Head(0, "")

_TEXT = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{64})")
_HASH = re.compile(r"[0-9a-f]{64}")


def entry_hash(made: Move, before: str) -> str:
    """Return the hash of an entry, in hexadecimal digits; `before` is that of the one before it."""
    entry = {
        "before": before,
        "sequence": made.sequence,
        "time": rfc3339(made.time),
        "repository": made.repository,
        "origin": made.cause.origin,
        "tag": made.tag,
        "digest": str(made.to.digest) if made.to else None,
        "mediaType": made.to.media_type if made.to else None,
        "size": made.to.size if made.to else None,
        "previous": str(made.previous) if made.previous else None,
        "kind": made.cause.kind,
        "actor": made.cause.actor,
        "authoritative": made.cause.authoritative,
    }
    if made.cause.overriding:
        entry["overriding"] = True
    return hashlib.sha256(strictjson.compact(entry)).hexdigest()


def follow(start: Head, entries: Iterable[Move]) -> Iterator[tuple[Move, Head]]:
    """Yield each entry after `start` (oldest first) with the head that it makes.

    Raises:
        HistoryRewritten: an entry is not the next one.
    """
    head = start
    for entry in entries:
        if entry.sequence != head.sequence + 1:
            raise HistoryRewritten(
                f"entry {head.sequence + 1} of a ledger is missing, and {entry.sequence} is told",
                side="remote",
            )
        head = Head(entry.sequence, entry_hash(entry, head.hash))
        yield entry, head


def reached(start: Head, entries: Iterable[Move]) -> Head:
    """Return the head to which entries (oldest first) lead from `start`.

    Raises:
        HistoryRewritten: an entry is not the next one.
    """
    head = start
    for _, reached_now in follow(start, entries):
        head = reached_now
    return head


def to_text(head: Head) -> str:
    """Return a head as the header has it: `12-9f86d081…`."""
    return f"{head.sequence}-{head.hash}"


def from_text(text: str | None) -> Head | None:
    """Return the head that a header tells of; None where it tells none."""
    match = _TEXT.fullmatch(text or "")
    return Head(int(match[1]), match[2]) if match else None


def from_json(value: object) -> Head | None:
    """Return the head in a parsed document; None where there is none."""
    match value:
        case {"sequence": 0, "hash": ""}:
            return EMPTY
        case {"sequence": int(sequence), "hash": str(text)} if 0 < sequence < 10**18:
            return Head(sequence, text) if _HASH.fullmatch(text) else None
    return None
