"""The application: which call goes where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from killick.errors import Denied, KillickError
from killick.repository import Quick, Registry
from killick.server import (
    blobs,
    extensions,
    ledger,
    listing,
    manifests,
    reports,
    tokens,
    upkeep,
    uploads,
)
from killick.server.access import READ_ONLY, Gate, Need
from killick.server.admission import Admission
from killick.server.calls import Call, Limits, Site
from killick.server.chores import kept_running
from killick.server.fast import Fast
from killick.server.health import Health
from killick.server.operations import Operations
from killick.server.recording import Observed, trace_of
from killick.server.responses import (
    Refused,
    error_answer,
    json_answer,
    on_crash,
    on_disconnect,
    on_killick_error,
)
from killick.server.routes import Kind, target_of
from killick.server.spool import Spool

Handler = Callable[[Call], Awaitable[Response]]


def _threaded(handle: Callable[[Call], Response]) -> Handler:
    """Return a handler that runs `handle`, which may block, in a thread."""

    async def run(call: Call) -> Response:
        return await run_in_threadpool(handle, call)

    return run


async def base(call: Call) -> Response:  # noqa: ARG001 - a handler as the others
    """Say that this is a registry."""
    return json_answer({})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers one method on one kind of path, and what it needs (None: nothing)."""

    need: Need | None
    handle: Handler


ENDPOINTS: Mapping[Kind, Mapping[str, Endpoint]] = {
    "base": {"GET": Endpoint("login", base)},
    "openapi": {"GET": Endpoint(None, _threaded(extensions.describe))},
    "token": {"GET": Endpoint(None, tokens.get), "POST": Endpoint(None, tokens.post)},
    "catalog": {"GET": Endpoint("list", _threaded(listing.catalog))},
    "discover": {"GET": Endpoint(None, _threaded(extensions.discover))},
    "tag-history": {"GET": Endpoint("pull", _threaded(ledger.oci_history))},
    "history": {"GET": Endpoint("pull", _threaded(ledger.history))},
    "digests": {"GET": Endpoint("pull", _threaded(ledger.digests))},
    "standing": {"GET": Endpoint("pull", _threaded(ledger.tags))},
    "rollback": {"POST": Endpoint("push", ledger.rollback)},
    "chain": {"GET": Endpoint("pull", _threaded(ledger.chain))},
    "tags": {"GET": Endpoint("pull", _threaded(listing.tags))},
    "referrers": {"GET": Endpoint("pull", _threaded(listing.referrers))},
    "manifest": {
        "GET": Endpoint("pull", _threaded(manifests.get)),
        "PUT": Endpoint("push", manifests.put),
        "DELETE": Endpoint("delete", _threaded(manifests.delete)),
    },
    "blob": {
        "GET": Endpoint("pull", _threaded(blobs.get)),
        "DELETE": Endpoint("delete", _threaded(blobs.delete)),
    },
    "uploads": {"POST": Endpoint("push", uploads.begin)},
    "upload": {
        "GET": Endpoint("push", uploads.status),
        "PATCH": Endpoint("push", uploads.append),
        "PUT": Endpoint("push", uploads.finish),
        "DELETE": Endpoint("push", uploads.cancel),
    },
    "reports": {"POST": Endpoint("report", reports.report)},
    "containers": {"GET": Endpoint("admin", _threaded(reports.containers))},
    "chores": {"GET": Endpoint("admin", _threaded(upkeep.list_chores))},
    "chore": {
        "GET": Endpoint("admin", _threaded(upkeep.get_chore)),
        "POST": Endpoint("admin", _threaded(upkeep.start_chore)),
    },
}
"""The catalog shows to each caller what that caller may pull. The base needs a login wherever there
are accounts: there clients find out how to log in, also where anybody may pull. What belongs to no
repository is asked for as that of the repository `""`, which stands for the whole registry."""


_CHANGING = frozenset({"push", "delete", "report"})
"""What nobody may while the registry is read-only."""


class _Api:
    """Everything below `/v2/`, as an ASGI application."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        target = target_of(request.scope["raw_path"])
        trace_of(request.scope).route = target.kind
        endpoint = _endpoint(request.method, target.kind)
        admission = self._site.admission
        caller = await admission.admit(request, endpoint.need, target.name)
        if self._site.operations.read_only and endpoint.need in _CHANGING:
            raise Denied("this registry is read-only for now")
        call = Call(request, self._site, caller, target.name, target.item)
        answer = await endpoint.handle(call)
        if endpoint.need == "admin" and request.method not in ("GET", "HEAD"):
            await run_in_threadpool(call.audit, "ordered", what=target.kind, item=target.item)
        return answer


def _endpoint(method: str, kind: Kind) -> Endpoint:
    known = ENDPOINTS[kind]
    found = known.get("GET" if method == "HEAD" else method)
    if found is None:
        allowed = sorted(known.keys() | ({"HEAD"} if "GET" in known else set()))
        raise Refused(
            "UNSUPPORTED",
            f"{method} is not possible here",
            headers={"Allow": ", ".join(allowed)},
        )
    return found


async def _on_http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_answer(Refused("NOT_FOUND", "the registry's API is below /v2/", status=status))


def application(
    registry: Registry,
    gate: Gate = READ_ONLY,
    limits: Limits | None = None,
    on_close: Callable[[], None] | None = None,
    operations: Operations | None = None,
) -> ASGIApp:
    """Return the registry's API over `registry`, as an ASGI application.

    `on_close` is called when the server stops (to close what `registry` stands on).
    """
    operations = operations or Operations()
    admission = Admission(gate, operations.public_url)
    site = Site(registry, gate, limits or Limits(), Spool(), operations, admission)
    health = Health(operations, admission)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = site.limits.threads
        try:
            with kept_running(operations.chores):
                yield
        finally:
            site.spool.close()
            operations.recorder.close()
            if on_close is not None:
                on_close()

    api = _Api(site)
    inner: ASGIApp = Starlette(
        routes=[
            Route("/v2", api),
            Route("/v2/{rest:path}", api),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
        ],
        exception_handlers={
            KillickError: on_killick_error,
            ClientDisconnect: on_disconnect,
            HTTPException: _on_http_error,
            Exception: on_crash,
        },
        lifespan=lifespan,
    )
    observed = Observed(inner, operations.recorder, operations.drain)
    return Fast(site, registry, observed) if isinstance(registry, Quick) else observed
