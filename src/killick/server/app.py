"""The application: which call goes where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from killick.errors import KillickError
from killick.repository import Registry
from killick.server import blobs, extensions, ledger, listing, manifests, uploads
from killick.server.calls import READ_ONLY, Call, Limits, Policy, Site
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


_HANDLERS: dict[Kind, dict[str, Handler]] = {
    "base": {"GET": base},
    "catalog": {"GET": _threaded(listing.catalog)},
    "discover": {"GET": _threaded(extensions.discover)},
    "tag-history": {"GET": _threaded(ledger.oci_history)},
    "history": {"GET": _threaded(ledger.history)},
    "digests": {"GET": _threaded(ledger.digests)},
    "standing": {"GET": _threaded(ledger.tags)},
    "rollback": {"POST": ledger.rollback},
    "chain": {"GET": _threaded(ledger.chain)},
    "tags": {"GET": _threaded(listing.tags)},
    "referrers": {"GET": _threaded(listing.referrers)},
    "manifest": {
        "GET": _threaded(manifests.get),
        "PUT": manifests.put,
        "DELETE": _threaded(manifests.delete),
    },
    "blob": {"GET": _threaded(blobs.get), "DELETE": _threaded(blobs.delete)},
    "uploads": {"POST": uploads.begin},
    "upload": {
        "GET": uploads.status,
        "PATCH": uploads.append,
        "PUT": uploads.finish,
        "DELETE": uploads.cancel,
    },
}


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
        handlers = _HANDLERS[target.kind]
        method = "GET" if request.method == "HEAD" else request.method
        handler = handlers.get(method)
        if handler is None:
            allowed = sorted(handlers.keys() | ({"HEAD"} if "GET" in handlers else set()))
            raise Refused(
                "UNSUPPORTED",
                f"{request.method} is not possible here",
                headers={"Allow": ", ".join(allowed)},
            )
        call = Call(request, self._site, target.name, target.item)
        return await handler(call)


async def _on_http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_answer(Refused("NOT_FOUND", "the registry's API is below /v2/", status=status))


def application(
    registry: Registry,
    policy: Policy = READ_ONLY,
    limits: Limits | None = None,
    on_close: Callable[[], None] | None = None,
) -> Starlette:
    """Return the registry's API over `registry`, as an ASGI application.

    `on_close` is called when the server stops (to close what `registry` stands on).
    """
    site = Site(registry, policy, limits or Limits(), Spool())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = site.limits.threads
        try:
            yield
        finally:
            site.spool.close()
            if on_close is not None:
                on_close()

    api = _Api(site)
    return Starlette(
        routes=[Route("/v2", api), Route("/v2/{rest:path}", api)],
        exception_handlers={
            KillickError: on_killick_error,
            ClientDisconnect: on_disconnect,
            HTTPException: _on_http_error,
            Exception: on_crash,
        },
        lifespan=lifespan,
    )
