"""Where a server may send Killick, by a redirect or by naming the place of an upload.

- To its own origin (scheme, host, port): always, with credentials.
- From HTTPS to HTTPS only. From plain HTTP to HTTPS; and to plain HTTP where both are this machine
  (loopback), or where both are not and the person allowed plain HTTP.
- Never further inside a network than the server itself lies, by the address that the connection
  really has: public < private < loopback; never to link-local addresses. So a registry on loopback
  may redirect to loopback, and a public one neither there nor to a private address, however the
  host is spelt and whatever its name resolves to. (Behind a proxy, only literal addresses show.)
- At most five times for one request, and to no URL twice.
- Credentials stay behind for good once another origin was entered, and its 401 is not answered.
- Only GET and HEAD are redirected elsewhere; other requests stay at their origin, by 307 or 308.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from killick.client.messages import Request, Response
from killick.errors import Denied, ProtocolError

if TYPE_CHECKING:
    from killick.client.origin import Origin, Url

MOST_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def follow(
    exchange: Callable[[Request], Response], request: Request, *, plain_http: bool = False
) -> Response:
    """Return the answer at the end of the redirects of `request`, sent by `exchange`.

    Raises:
        Denied: a redirect leads where it may not.
        ProtocolError: there are too many, they run in a circle, or one names no place.
    """
    first = request.url
    visited = {first}
    while True:
        response = exchange(request)
        location = response.header("Location")
        if response.status not in _REDIRECTS or location is None:
            return response
        with response:
            target = lead(response, location, plain_http=plain_http)
        if target in visited or len(visited) > MOST_REDIRECTS:
            raise ProtocolError(
                f"{first.shown} redirects in a circle, or more than {MOST_REDIRECTS} times",
                side="remote",
            )
        visited.add(target)
        request = _moved(request, response, target)


def _moved(request: Request, response: Response, target: Url) -> Request:
    """Return `request` as it is to be sent to `target`."""
    same = target.origin == request.url.origin
    repeatable = request.body is None or isinstance(request.body, bytes)
    if request.method not in ("GET", "HEAD") and not (
        same and repeatable and response.status in (307, 308)
    ):
        raise ProtocolError(
            f"{request.url.origin.netloc} redirects a {request.method} to {target.shown}",
            side="remote",
        )
    return replace(
        request,
        url=target,
        authorization=request.authorization if same else None,
        innermost=request.innermost if same else response.zone,
    )


def lead(response: Response, location: str, *, plain_http: bool = False) -> Url:
    """Return the URL that `location` in `response` leads to; `plain_http` was allowed by a person.

    How far inside it lies is left to the connection, with `response.zone` as the limit.

    Raises:
        Denied: it leads from HTTPS to plain HTTP, or to plain HTTP that nobody allowed.
        ProtocolError: it names no place.
    """
    target = response.url.join(location)
    if target.origin != response.url.origin and not _may_lead(
        response.url.origin, target.origin, plain_http
    ):
        raise Denied(
            f"{response.url.origin} leads to {target.origin}, which is not secure",
            side="remote",
            hint="tell whoever runs the registry: it has to send its clients to HTTPS addresses",
        )
    return target


def _may_lead(source: Origin, target: Origin, plain_http: bool) -> bool:
    if target.scheme == "https":
        return True
    if source.scheme == "https":
        return False
    return target.is_loopback if source.is_loopback else plain_http and not target.is_loopback
