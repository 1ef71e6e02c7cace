"""Reports of what hosts run, and which containers run a digest. Our own extension.

A report is one snapshot in the form of `killick.inventory`. Who may report may do nothing else by
that; and who may read what all hosts run has to have charge of the registry, since names of hosts,
workloads and labels are in it.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from killick import inventory, strictjson
from killick.digest import Digest
from killick.errors import ContentError, LimitExceeded, NotFound, UsageError
from killick.moments import rfc3339
from killick.observation import Sightings
from killick.server import paging
from killick.server.bodies import whole
from killick.server.calls import Call
from killick.server.responses import json_answer
from killick.wire.reports import MOST_REPORT_BYTES, PATH_CONTAINERS


async def report(call: Call) -> Response:
    """Keep a snapshot."""
    raw = await whole(call, MOST_REPORT_BYTES)
    return await run_in_threadpool(_report, call, raw)


def _report(call: Call, raw: bytes) -> Response:
    keeper = _keeper(call)
    try:
        snapshot = inventory.from_json(strictjson.loads(raw, "the report"), "the report")
    except LimitExceeded:
        raise
    except ContentError as error:
        raise UsageError(error.message) from None
    reporters = call.site.operations.reporters
    reporters.check(call.site.registry, snapshot.host, call.caller.name)
    keeper.report(snapshot)
    answer = {"host": snapshot.host, "containers": len(snapshot.containers)}
    return json_answer(answer, status=201)


def containers(call: Call) -> Response:
    """Answer with the containers of which a digest was told, those seen last first."""
    text = call.query("digest")
    if text is None:
        raise UsageError("which containers is said by ?digest=sha256:…")
    digest, most = Digest.parse(text), paging.limit(call)
    skip = paging.number(call, "skip") or 0
    page, more = paging.first(_keeper(call).sightings(str(digest), skip), most)
    query = {"digest": str(digest), "n": str(most), "skip": str(skip + most)}
    entries = [
        {
            "host": sighting.host,
            "engine": sighting.engine,
            "first": rfc3339(sighting.first),
            "last": rfc3339(sighting.last),
            "container": inventory.container_to_json(sighting.container),
        }
        for sighting in page
    ]
    answer = {"digest": str(digest), "containers": entries}
    return json_answer(answer, paging.link(PATH_CONTAINERS, query) if more else {})


def _keeper(call: Call) -> Sightings:
    registry = call.site.registry
    if not isinstance(registry, Sightings):
        raise NotFound("this registry keeps no record of what hosts run")
    return registry
