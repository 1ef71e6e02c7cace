"""The past of tags: the `_oci` tag history, and what our own extension tells beyond it.

Lists come newest first, in pages, and the next page starts at a sequence, so that no clock decides
what is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from killick import moves, strictjson, travel
from killick.bounds import bound
from killick.digest import Digest
from killick.errors import ContentError, ManifestUnknown, NotFound, TagUnknown, UsageError
from killick.manifest import OCI_INDEX
from killick.moments import parse_moment, rfc3339, utc_now
from killick.names import Tag
from killick.repository import ANYTHING, LOCAL, Chained, Ledger, Move, Presence, Presences
from killick.server import paging
from killick.server.bodies import whole
from killick.server.calls import Call
from killick.server.conditions import expected
from killick.server.responses import json_answer
from killick.wire import tag_history

MOST_ENTRIES = bound(1000, "entries", "entries in a page of history")
MOST_BODY_BYTES = bound(4096, "bytes", "body of a rollback")
MOST_BACK = 1_000_000
_CURSOR = "sequence"


def oci_history(call: Call) -> Response:
    """Answer with what one tag pointed to, as the draft of the `_oci` extension has it."""
    tag, most = Tag(call.item), _limit(call)
    cursor = paging.number(call, _CURSOR)
    told = _asked_for(call, tag_history.events(_ledger(call).history(tag, LOCAL, cursor)))
    page, more = paging.first(told, most)
    headers = {"Content-Type": OCI_INDEX}
    if more:
        query = {key: call.query(key) for key in ("before", "since", "digest")}
        stated = {key: value for key, value in query.items() if value is not None}
        stated |= {"n": str(most), _CURSOR: str(page[-1].sequence)}
        headers |= paging.link(f"/v2/{call.name}/_oci/tag-history/{tag}", stated)
    return json_answer(tag_history.to_json(page), headers)


def history(call: Call) -> Response:
    """Answer with the moves of one tag, or of all."""
    tag, most = Tag(call.item) if call.item else None, _limit(call)
    found = _ledger(call).history(tag, LOCAL, paging.number(call, "before"))
    page, more = paging.first(found, most)
    path = f"/v2/{call.name}/_killick/history" + (f"/{tag}" if tag else "")
    headers = paging.link(path, {"n": str(most), "before": str(page[-1].sequence)}) if more else {}
    return json_answer({"name": call.name, "moves": _moves(call, page)}, headers)


def tags(call: Call) -> Response:
    """Answer with the tags, each with the move that put it where it stands."""
    last, most = call.query("last"), _limit(call)
    page, more = paging.first(_ledger(call).standing(None if last is None else Tag(last)), most)
    path = f"/v2/{call.name}/_killick/tags"
    headers = paging.link(path, {"n": str(most), "last": page[-1].tag}) if more else {}
    return json_answer({"name": call.name, "tags": _moves(call, page)}, headers)


def chain(call: Call) -> Response:
    """Answer with where the ledger ends, and with its entries after one, oldest first."""
    repository, most = call.repository, _limit(call)
    if not isinstance(repository, Chained):
        raise NotFound("this registry keeps no chained ledger")
    after = paging.number(call, "after") or 0
    head = repository.head()
    told = takewhile(lambda entry: entry.sequence <= head.sequence, repository.entries(after))
    page, more = paging.first(told, most)
    answer = {
        "name": call.name,
        "head": {"sequence": head.sequence, "hash": head.hash},
        "entries": [moves.to_json(entry) for entry in page],
    }
    query = {"n": str(most), "after": str(page[-1].sequence)} if more else {}
    path = f"/v2/{call.name}/_killick/chain"
    return json_answer(answer, paging.link(path, query) if more else {})


def digests(call: Call) -> Response:
    """Answer with the tags that point to a manifest, or ever did, and since and until when."""
    digest, most = Digest.parse(call.item), _limit(call)
    page, more = paging.first(_ledger(call).holding(digest, paging.number(call, "before")), most)
    path = f"/v2/{call.name}/_killick/digests/{digest}"
    query = {"n": str(most), "before": str(page[-1][0].sequence)} if more else {}
    entries = [
        {
            "tag": move.tag,
            "since": rfc3339(move.time),
            "until": rfc3339(until.time) if until else None,
            "kind": move.cause.kind,
            "actor": move.cause.actor,
        }
        for move, until in page
    ]
    content = _presence(call, [digest]).get(digest)
    answer = {"name": call.name, "digest": str(digest), "content": content, "tags": entries}
    return json_answer(answer, paging.link(path, query) if more else {})


async def rollback(call: Call) -> Response:
    """Move a tag back to what it pointed to once; only from where it stands."""
    raw = await whole(call, MOST_BODY_BYTES)
    return await run_in_threadpool(_roll_back, call, raw)


def _roll_back(call: Call, raw: bytes) -> Response:
    ledger, repository, tag = _ledger(call), call.repository, Tag(call.item)
    now = travel.standing(repository, tag)
    expectation = expected(call, now)
    to = repository.resolve(_goal(call, ledger, tag, raw))
    moved = ledger.move(
        tag, to, call.cause("rolled-back"), now if expectation is ANYTHING else expectation
    )
    if moved is not None:
        call.audit_move(moved)
    return json_answer(
        {
            "name": call.name,
            "tag": tag,
            "digest": str(to.digest),
            "previous": str(now) if now else None,
            "change": moved.change if moved else "no-op",
            "move": _moves(call, [moved])[0] if moved else None,
        }
    )


def _goal(call: Call, ledger: Ledger, tag: Tag, raw: bytes) -> Digest:
    """Return where the tag is to go back to: by digest, or so many distinct digests back.

    Raises:
        UsageError: the body says neither.
        ManifestUnknown, TagUnknown: the tag never pointed there.
    """
    try:
        fields = strictjson.loads(raw, "the body") if raw else {}
    except ContentError as error:
        raise UsageError(error.message) from None
    match fields:
        case {"digest": str(text)} if len(fields) == 1:
            digest = Digest.parse(text)
            if all(move.tag != tag for move, _ in ledger.holding(digest)):
                raise ManifestUnknown(f"{call.name}:{tag} never pointed to {digest}")
            return digest
        case {"back": int(back)} if len(fields) == 1 and 0 <= back <= MOST_BACK:
            return _back(call, ledger, tag, back)
        case {} if not fields:
            return _back(call, ledger, tag, 1)
    raise UsageError('the body is neither {"digest": "…"} nor {"back": N}')


def _back(call: Call, ledger: Ledger, tag: Tag, count: int) -> Digest:
    found = travel.back(ledger.history(tag), count)
    if found is None:
        raise TagUnknown(f"{call.name}:{tag} has no {count} earlier digests")
    return found.digest


def _asked_for(call: Call, told: Iterator[tag_history.Event]) -> Iterator[tag_history.Event]:
    """Return those events that `before`, `since` and `digest` let through."""
    before, since, digest = (call.query(key) for key in ("before", "since", "digest"))
    latest = parse_moment(before, utc_now()) if before else None
    earliest = parse_moment(since, utc_now()) if since else None
    wanted = Digest.parse(digest) if digest else None
    return (
        event
        for event in told
        if (latest is None or event.time < latest)
        and (earliest is None or event.time >= earliest)
        and (wanted is None or event.descriptor.digest == wanted)
    )


def _ledger(call: Call) -> Ledger:
    repository = call.repository
    if not isinstance(repository, Ledger):
        raise NotFound("this registry keeps no history of its tags")
    return repository


def _limit(call: Call) -> int:
    return min(paging.limit(call), MOST_ENTRIES)


def _moves(call: Call, page: list[Move]) -> list[dict[str, Any]]:
    found = _presence(call, {move.to.digest for move in page if move.to is not None})
    return [
        moves.to_json(
            replace(
                move,
                repository=call.name,
                content=found.get(move.to.digest) if move.to is not None else None,
            )
        )
        for move in page
    ]


def _presence(call: Call, digests: Iterable[Digest]) -> dict[Digest, Presence]:
    """Return what is left of some manifests, as far as the repository can tell."""
    repository = call.repository
    return repository.presence(digests) if isinstance(repository, Presences) else {}
