"""One request, one answer: connections that are kept and shared, under one gate for secrets.

Nothing here decides anything: where to go, what to show and when to try again is said by
`redirects`, `auth` and `retry`. What can go wrong below arrives as an error of ours.
"""

from __future__ import annotations

import http.client
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from killick import __version__
from killick.client.dial import Dialer, Interrupted, proxy_for, translated
from killick.client.messages import Payload, Request, Response
from killick.client.pool import Pool, closed
from killick.errors import ProtocolError

if TYPE_CHECKING:
    from killick.client.channel import Channel

USER_AGENT = f"killick/{__version__}"

_LAST_WORDS = 2.0


class Transport:
    """Sends requests over connections of its own. Safe for many threads at once."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._pool = Pool()

    def exchange(self, request: Request) -> Response:
        """Send `request` and return the answer, whatever its status; nothing is followed.

        A waiting connection that turns out to be dead is replaced once, unseen.

        Raises:
            Interrupted: the connection failed, or the other side fell silent.
            Unreachable: it can't be reached, or not trusted.
            ProtocolError: what came is no answer, or is compressed, which nobody asked for.
            Denied: the address lies too far inside a network.
        """
        origin = request.url.origin
        channel = self._pool.take(origin, request.innermost)
        if channel is not None:
            try:
                return self._attempt(request, channel)
            except Interrupted:
                if self._pool.is_closed or not _is_replayable(request.body):
                    raise
        channel = self._dialer.dial(origin, request.innermost)
        self._pool.add(channel)
        return self._attempt(request, channel)

    def _attempt(self, request: Request, channel: Channel) -> Response:
        try:
            return checked(Response(request, channel, _ask(request, channel), self._pool))
        except (OSError, http.client.HTTPException) as error:
            self._pool.drop(channel)
            if self._pool.is_closed:
                raise closed() from None
            raise translated(error, request.url.origin) from None
        except BaseException:
            self._pool.drop(channel)
            raise

    def close(self) -> None:
        """Close all connections; whoever is waiting on one gets `Unreachable`."""
        self._pool.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._pool.is_closed


def checked(response: Response) -> Response:
    """Return `response` if its framing is beyond doubt and its body is as it was stored.

    Raises:
        ProtocolError: it is not.
    """
    lengths = set(response.headers.get_all("Content-Length", []))
    encoding = (response.header("Content-Encoding") or "identity").strip().lower()
    fault = None
    if len(lengths) > 1 or not all(n.isascii() and n.isdigit() for n in lengths):
        fault = "does not say clearly how long its answer is"
    elif encoding not in ("identity", "") and response.status < 400:
        fault = f"compresses its answer ({encoding[:20]!r}), which nobody asked for"
    if fault is not None:
        raise ProtocolError(f"{response.url.origin.netloc} {fault}", side="remote")
    return response


def _is_replayable(body: bytes | Payload | None) -> bool:
    return body is None or isinstance(body, bytes)


def _ask(request: Request, channel: Channel) -> http.client.HTTPResponse:
    """Send the request, and return the answer with its head read."""
    connection = http.client.HTTPConnection(request.url.origin.host)
    connection.auto_open = 0
    connection.sock = channel
    channel.watch.flowing(sys.maxsize)
    try:
        _send(request, connection)
        channel.watch.within(channel.watch.timeout + request.slack)
    except OSError:
        # Whoever refuses a body may answer and hang up before it has all been sent.
        channel.watch.within(_LAST_WORDS)
        answer = http.client.HTTPResponse(channel, method=request.method)  # type: ignore[arg-type]  # it needs makefile() only
        with suppress(OSError, http.client.HTTPException):
            answer.begin()
            if answer.status >= 400:
                answer.will_close = True
                return answer
        answer.close()
        raise
    return connection.getresponse()


def _send(request: Request, connection: http.client.HTTPConnection) -> None:
    origin = request.url.origin
    plain_proxy = proxy_for(origin) if origin.scheme == "http" else None
    target = str(request.url) if plain_proxy else request.url.target
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", origin.netloc)
    connection.putheader("User-Agent", USER_AGENT)
    connection.putheader("Accept-Encoding", "identity")
    if plain_proxy and plain_proxy.authorization:
        connection.putheader("Proxy-Authorization", plain_proxy.authorization)
    if request.authorization and (secret := request.authorization.value_for(origin)):
        connection.putheader("Authorization", secret)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    body = request.body
    if body is None:
        if request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", "0")
        connection.endheaders()
    elif isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
    else:
        connection.putheader("Content-Length", str(body.size))
        connection.endheaders()
        for piece in body.pieces():
            connection.send(piece)
