"""The chores, as callers with the right `admin` see and start them, and as figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from starlette.responses import Response

from killick.errors import Conflict
from killick.server.calls import Call
from killick.server.chores import Chores
from killick.server.figures import header
from killick.server.responses import Refused, json_answer


def list_chores(call: Call) -> Response:
    """GET: what came of all chores."""
    chores = _chores(call)
    return json_answer({"chores": [chores.account(name) for name in chores.names()]})


def get_chore(call: Call) -> Response:
    """GET: what came of one chore."""
    return json_answer(_chores(call).account(call.item))


def start_chore(call: Call) -> Response:
    """POST: start a chore (202), or say with `dry-run` what it would do (200)."""
    chores = _chores(call)
    if call.query("dry-run") in ("1", "true"):
        return json_answer({"name": call.item, "would": dict(chores.rehearse(call.item))})
    try:
        chores.ask(call.item)
    except Conflict as error:
        raise Refused("CHORE_UNDER_WAY", error.message, status=409) from None
    return json_answer(chores.account(call.item), status=202)


def _chores(call: Call) -> Chores:
    chores = call.site.operations.chores
    if chores is None:
        raise Refused("UNSUPPORTED", "this registry has no chores", status=404)
    return chores


def chore_gauges(chores: Chores) -> Iterator[str]:
    """Yield what came of the chores in Prometheus' text format."""
    accounts = [chores.account(name) for name in chores.names()]
    about = "When a chore last ended well."
    yield from header("chore_succeeded_timestamp_seconds", "gauge", about)
    for account in accounts:
        name, at = account["name"], account["succeeded"]
        seconds = datetime.fromisoformat(at).timestamp() if isinstance(at, str) else 0
        yield f'killick_chore_succeeded_timestamp_seconds{{chore="{name}"}} {seconds:.3f}'
    yield from header("chore_outcome", "gauge", "How the last run of a chore went (1).")
    for account in accounts:
        yield f'killick_chore_outcome{{chore="{account["name"]}",outcome="{account["outcome"]}"}} 1'
    about = "What the last run of a chore found, removed or changed."
    yield from header("chore_result", "gauge", about)
    for account in accounts:
        result = account["result"]
        for key, value in result.items() if isinstance(result, dict) else ():
            if isinstance(value, (int, float)) and str(key).replace("_", "").isalnum():
                yield f'killick_chore_result{{chore="{account["name"]}",of="{key}"}} {value:g}'
