"""One request, one answer: connections that are kept and shared, under one gate for secrets.

Nothing here decides anything: where to go, what to show and when to try again is said by
`redirects`, `auth` and `retry`. What can go wrong below arrives as an error of ours.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from killick import __version__
from killick.client.channel import Channel
from killick.client.dial import Dialer, Interrupted, proxy_for, translated
from killick.client.origin import Origin, Url, Zone
from killick.errors import KillickError, LimitExceeded, ProtocolError, Unreachable

if TYPE_CHECKING:
    from io import BufferedReader

    from killick.client.credential import Authorization
    from killick.digest import Bytes

USER_AGENT = f"killick/{__version__}"
MOST_IDLE = 16
LONGEST_IDLE = 50.0

_FRAMING = 1024 * 1024
_LAST_WORDS = 2.0
_PROMPT = 0.1
_DRAIN = 64 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Payload(Protocol):
    """A body to send, in pieces, that may be too large for memory."""

    @property
    def size(self) -> int:
        """How many bytes `pieces` yields."""
        ...

    def pieces(self) -> Iterator[Bytes]:
        """Yield the bytes; a second call need not work."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask, of whom. `authorization` goes along if it belongs to the URL's origin.

    `innermost` is how far inside a network the URL's host may lie: a person may name anything, a
    server only what is no further in than itself. `slack` is for answers that take long: seconds
    to wait beyond the usual. `budget` is the most bytes that the body of the answer may have.
    """

    method: str
    url: Url
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    body: bytes | Payload | None = None
    authorization: Authorization | None = None
    innermost: Zone = Zone.NOWHERE
    slack: float = 0.0
    budget: int = _FRAMING


class Response:
    """An answer: status, headers, and a body to read. Close it; read to its end, it is reused."""

    def __init__(
        self, request: Request, channel: Channel, answer: http.client.HTTPResponse, pool: Pool
    ) -> None:
        self.request = request
        self.url = request.url
        self.zone = channel.zone
        self.status = answer.status
        self.headers = answer.headers
        self._channel = channel
        self._answer = answer
        self._pool = pool
        bare = request.method == "HEAD" or self.status in (204, 304)
        self._left = 0 if bare else None if answer.chunked else answer.length
        self._open = True
        # Framing may be longer than what it frames: a chunk of one byte takes six.
        channel.watch.flowing(8 * max(request.budget, self._left or 0) + _FRAMING)

    @property
    def length(self) -> int | None:
        """How many bytes of the body are still to come; None where the other side did not say."""
        return self._left

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, or None."""
        return self.headers.get(name)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`, or as much of it as comes promptly; 0 at the end of the body.

        Raises:
            Interrupted: the body broke off.
            ProtocolError: its framing is wrong.
        """
        if not self._open or self._left == 0:
            return 0
        try:
            count = self._read(buffer)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._end(keep=False)
            raise self._failure(error) from None
        if self._left is not None:
            self._left -= count
            if count == 0:
                self._end(keep=False)
                raise Interrupted(f"{self.url.origin.netloc} broke off its answer", side="remote")
        if count == 0 or self._left == 0:
            self._end(keep=True)
        return count

    def _read(self, buffer: memoryview) -> int:
        if self._left is None:
            # Chunks are http.client's to take apart; it wants to fill what it is given.
            return self._answer.readinto(buffer[:_DRAIN])
        view = buffer[: self._left]
        stream: BufferedReader = self._answer.fp
        deadline = time.monotonic() + _PROMPT
        count = 0
        while count < len(view):
            more = stream.readinto1(view[count:])
            count += more
            if not more or time.monotonic() > deadline:
                break
        return count

    def _failure(self, error: Exception) -> KillickError:
        if self._pool.is_closed:
            return closed()
        if isinstance(error, ValueError):
            error = http.client.HTTPException(str(error))
        return translated(error, self.url.origin)

    def read(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            LimitExceeded: it has more than `most` bytes.
        """
        if (self._left or 0) > most:
            self.close()
            raise self._too_long(most)
        pieces = []
        total = 0
        buffer = memoryview(bytearray(min(most + 1, _DRAIN)))
        while count := self.readinto(buffer):
            total += count
            if total > most:
                self.close()
                raise self._too_long(most)
            pieces.append(bytes(buffer[:count]))
        return b"".join(pieces)

    def _too_long(self, most: int) -> LimitExceeded:
        return LimitExceeded(
            f"the answer of {self.url.shown} has more than the {most} bytes that are allowed",
            side="remote",
        )

    def close(self) -> None:
        """Be done with the answer. The connection is kept if little or nothing is left to come."""
        if not self._open:
            return
        if self._left is not None and self._left <= _DRAIN:
            self._channel.watch.within(_LAST_WORDS)
            with suppress(KillickError):
                self.read(_DRAIN)
        self._end(keep=self._left == 0)

    def _end(self, *, keep: bool) -> None:
        if not self._open:
            return
        self._open = False
        usable = keep and not self._answer.will_close
        with suppress(OSError, http.client.HTTPException):
            self._answer.close()
        if usable:
            self._pool.keep(self._channel)
        else:
            self._pool.drop(self._channel)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pool:
    """Connections: those in use, and those that wait for the next request to their origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Channel]] = {}
        self._busy: set[Channel] = set()
        self.is_closed = False

    def take(self, origin: Origin, innermost: Zone) -> Channel | None:
        """Return a waiting connection that is still good, or None."""
        while True:
            with self._lock:
                waiting = self._idle.get(origin)
                if not waiting:
                    return None
                channel = waiting.pop()
            fresh = time.monotonic() - channel.idle_since < LONGEST_IDLE
            if fresh and channel.zone <= innermost and channel.is_quiet:
                self.add(channel)
                return channel
            channel.shut()

    def add(self, channel: Channel) -> None:
        """Take notice of a connection in use.

        Raises:
            Unreachable: the pool was closed.
        """
        with self._lock:
            if not self.is_closed:
                self._busy.add(channel)
                return
        channel.shut()
        raise closed()

    def keep(self, channel: Channel) -> None:
        """Take a connection back for the next request."""
        channel.used = True
        channel.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(channel)
            waiting = self._idle.setdefault(channel.origin, [])
            if not self.is_closed and len(waiting) < MOST_IDLE:
                waiting.append(channel)
                return
        channel.shut()

    def drop(self, channel: Channel) -> None:
        """Close a connection that was in use."""
        with self._lock:
            self._busy.discard(channel)
        channel.shut()

    def close(self) -> None:
        """Close what waits, and break what is in use."""
        with self._lock:
            self.is_closed = True
            waiting = [channel for channels in self._idle.values() for channel in channels]
            busy = list(self._busy)
            self._idle.clear()
        for channel in waiting:
            channel.shut()
        for channel in busy:
            channel.cut()


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


def closed() -> Unreachable:
    """Return the error of a request that was cut off by our own `close`."""
    return Unreachable("the connection was closed on this side", side="local")


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
