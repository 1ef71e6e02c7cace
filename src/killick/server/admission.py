"""Admission: from a request to its caller, or to the answer that turns it away.

It comes before any look-up, so that an answer to somebody without rights is the same, and takes as
long, whether there is what they ask for or not.
"""

from __future__ import annotations

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from killick.bounds import bound
from killick.errors import KillickError, Throttled, Unauthorized
from killick.names import is_domain, is_path
from killick.server.access import ANONYMOUS, Auditor, Caller, Gate, Need, Who
from killick.server.recording import trace_of
from killick.server.responses import Refused
from killick.wire.extensions import TOKEN

PASSWORDS_AT_ONCE = bound(4, "passwords", "passwords that a worker checks at once")
"""Passwords that one worker checks at once: each takes a thread, and a core for 0.2 s."""


class Admission:
    """Admits callers by a gate. `public_url` is where the registry is, as callers see it."""

    def __init__(self, gate: Gate, public_url: str | None = None) -> None:
        self._gate = gate
        self._public_url = public_url
        self._passwords = CapacityLimiter(PASSWORDS_AT_ONCE)

    async def admit(self, request: Request, need: Need | None, repository: str) -> Caller:
        """Return who calls, if they may do what an endpoint needs.

        Raises:
            Refused: (401, with a challenge) they have to log in, or with something else; (429)
                they have to wait.
            Denied: they lack the right, whatever they show.
        """
        try:
            caller = await self.known(request, request.headers.get("authorization"))
        except (Unauthorized, Throttled) as error:
            raise self.turned_away(request, error, need, repository) from None
        if need is None or caller.may(need, repository):
            return caller
        refusal = self._gate.refusal(caller, need, repository)
        if isinstance(refusal, Unauthorized):
            raise self.turned_away(request, refusal, need, repository)
        await self._tell(request, caller, need, repository)
        raise refusal

    async def known(self, request: Request, credentials: str | None) -> Caller:
        """Return who shows these credentials, which is noted for the access log.

        Raises:
            Unauthorized, Throttled: as the gate's `identify`.
        """
        caller = self._gate.recall(credentials)
        if caller is None:
            caller = await self._identify(credentials, who_calls(request, ANONYMOUS))
        trace_of(request.scope).caller = caller.name
        return caller

    async def _identify(self, credentials: str | None, who: Who) -> Caller:
        if credentials is not None and credentials[:5].lower() == "basic":
            identify = self._gate.identify
            return await run_sync(identify, credentials, who, limiter=self._passwords)
        return await run_in_threadpool(self._gate.identify, credentials, who)

    def turned_away(
        self, request: Request, error: KillickError, need: Need | None, repository: str
    ) -> Refused:
        """Return the answer for a caller who was not let in."""
        if isinstance(error, Throttled):
            headers = {"Retry-After": str(error.wait)}
            return Refused("TOOMANYREQUESTS", error.message, headers=headers)
        challenge = self._challenge(request, need, repository)
        return Refused("UNAUTHORIZED", error.message, headers={"WWW-Authenticate": challenge})

    def _challenge(self, request: Request, need: Need | None, repository: str) -> str:
        url = self._public_url or _url_seen(request)
        if url is None or request.scope["path"].endswith(f"/{TOKEN}"):
            # The token service itself wants a password; and a realm that may be wrong is worse
            # than none.
            return 'Basic realm="killick",charset="UTF-8"'
        return self._gate.challenge(f"{url}/v2/{TOKEN}", need, repository, mount_source(request))

    async def _tell(self, request: Request, caller: Caller, need: Need, repository: str) -> None:
        gate = self._gate
        if isinstance(gate, Auditor):
            details = {"need": need, "repository": repository or None, "method": request.method}
            await run_in_threadpool(
                gate.record, "refused", who_calls(request, caller.name), details
            )


def mount_source(request: Request) -> str | None:
    """Return the repository that a blob is to be mounted from: who logs in for that needs both."""
    asked = request.query_params
    stated = asked.get("from") if request.method == "POST" and "mount" in asked else None
    return stated if stated is not None and is_path(stated) else None


def who_calls(request: Request, name: str) -> Who:
    """Return what the audit log says of whoever sent a request."""
    client = request.client
    return Who(name, client.host if client else "unknown", trace_of(request.scope).request or None)


def _url_seen(request: Request) -> str | None:
    """Return where the caller found this registry, by its own word; None where that is no host.

    Whoever sends a false Host header misleads nobody but themselves.
    """
    host = request.headers.get("host", "")
    scheme = request.scope.get("scheme", "http")
    return f"{scheme}://{host}" if is_domain(host) and scheme in ("http", "https") else None
