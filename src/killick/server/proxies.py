"""Behind proxies: who called, and how, by the word of those proxies that are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from killick.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_HOPS = 20


class BehindProxies:
    """An application that sees the address and the scheme that its trusted proxies saw.

    `X-Forwarded-For` is read from its end, where each proxy appends whom it heard from: the last
    address that is not a trusted proxy's is the caller's. What stands before that anybody may have
    written.
    """

    def __init__(self, app: ASGIApp, trusted: Iterable[Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["client"] and self._trusts(scope["client"][0]):
            scope = self._as_seen(scope)
        await self._app(scope, receive, send)

    def _as_seen(self, scope: Scope) -> Scope:
        headers, seen = Headers(scope=scope), dict(scope)
        hops = ",".join(headers.getlist("x-forwarded-for")).split(",")[-MOST_HOPS:]
        for hop in reversed([hop.strip() for hop in hops]):
            if not _is_address(hop):
                break
            seen["client"] = (hop, 0)
            if not self._trusts(hop):
                break
        scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            seen["scheme"] = scheme
        return seen

    def _trusts(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def network(text: str) -> Network:
    """Return the network, or the one address, that `text` is.

    Raises:
        UsageError: it is none.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise UsageError(
            f"{text[:80]!r} is not a network", hint="write it as 10.0.0.0/8 or 127.0.0.1"
        ) from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
