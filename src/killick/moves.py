"""A move of a tag as JSON: one form in archives and over HTTP."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, get_args

from killick.digest import Digest
from killick.errors import ContentError, KillickError, UsageError
from killick.manifest import Descriptor
from killick.moments import rfc3339
from killick.names import Tag
from killick.repository import Cause, Kind, Move, Presence

MOST_CHARACTERS = 1024
_KINDS = get_args(Kind)
_PRESENCES = get_args(Presence)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")


def to_json(move: Move) -> dict[str, Any]:
    """Return the object for a move."""
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
        "overriding": move.cause.overriding,
        "change": move.change,
        "content": move.content,
    }


def from_json(value: object, where: str) -> Move:
    """Return the move in a parsed document; `where` names it in errors.

    Raises:
        ContentError: it is not what `to_json` makes.
    """
    try:
        if isinstance(value, dict):
            return _move(value)
    except (KillickError, LookupError, TypeError) as error:
        raise ContentError(f"{where} is no move") from error
    raise ContentError(f"{where} is no move")


def _move(fields: dict[str, Any]) -> Move:
    to, previous = fields["to"], fields["previous"]
    sequence, authoritative = fields["sequence"], fields["authoritative"]
    if not isinstance(sequence, int) or sequence < 0 or not isinstance(authoritative, bool):
        raise UsageError("a field has a wrong type")
    if fields["kind"] not in _KINDS:
        raise UsageError("an unknown kind of move")
    # Archives of an older Killick do not say these two.
    overriding, content = fields.get("overriding", False), fields.get("content")
    if not isinstance(overriding, bool) or (content is not None and content not in _PRESENCES):
        raise UsageError("a field has a wrong type")
    actor, origin = _text(fields, "actor"), _text(fields, "origin")
    cause = Cause(fields["kind"], actor, origin, authoritative, overriding)
    return Move(
        sequence,
        _time(_text(fields, "time")),
        _text(fields, "repository"),
        Tag(_text(fields, "tag")),
        Descriptor.from_json(to).plain() if to is not None else None,
        Digest.parse(previous) if previous is not None else None,
        cause,
        content,
    )


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        raise UsageError(f"{key} is no text")
    return value


def _time(text: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UsageError("no time")
