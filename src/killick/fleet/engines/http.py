"""Asking an engine over HTTP, and nothing but asking: there is no method here besides GET.

One connection is kept for all questions to an engine. All of them together have a deadline, which
no drip of bytes outlasts, and each answer a greatest size.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlencode

from killick import strictjson
from killick.errors import (
    Denied,
    KillickError,
    LimitExceeded,
    NotFound,
    ProtocolError,
    Unauthorized,
    Unreachable,
)

MOST_ANSWER_BYTES = 64 * 1024 * 1024
_MOST_MESSAGE = 200


class Expired(ProtocolError):
    """The rest of a list is not to be had any more (410). Never leaves this package."""


class Line(Protocol):
    """A connected stream: a socket, or what behaves as one."""

    def settimeout(self, value: float | None, /) -> None:
        """Bound every later wait."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""
        ...

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receive into `buffer`; 0 at the end."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


Dial = Callable[[float], Line]
"""Connects within so many seconds. Raises OSError, or a KillickError that says more."""


class Asking:
    """A conversation with the engine that `where` names in errors. A context manager.

    `dial` connects, `seconds` is how long everything together may take, `headers` go with every
    question, and `authority` is the Host header.
    """

    def __init__(
        self,
        where: str,
        dial: Dial,
        seconds: float,
        headers: Sequence[tuple[str, str]] = (),
        authority: str = "localhost",
    ) -> None:
        self.where = where
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._headers = [("User-Agent", "killick"), *headers]
        self._connection = _Connection(authority, dial, self._left)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str, accept: str | None = None, /, **query: str) -> Any:  # noqa: ANN401 - JSON is any of six types
        """Return the JSON at `path`; `accept` is the media type wanted, if not plain JSON.

        Raises:
            Expired: it is the rest of a list that has changed too much since.
            NotFound: the engine has no such thing.
            Unreachable: it can't be reached, or not in time.
            Denied, ProtocolError, LimitExceeded, ContentError: it answers otherwise.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            status, body = self._ask(target, accept)
        except http.client.IncompleteRead:
            raise self.unreachable("it hung up in the middle of an answer") from None
        except ConnectionError as error:
            raise self.unreachable(_reason(error)) from None
        except http.client.HTTPException:
            raise ProtocolError(
                f"what answers at {self.where} does not speak HTTP as an engine does",
                side="engine",
                hint="check the address, and whether TLS is wanted there",
            ) from None
        except TimeoutError:
            raise self.unreachable(f"no answer within {self._seconds:g} seconds") from None
        except OSError as error:
            raise self.unreachable(_reason(error)) from None
        if status != 200:
            raise self._refusal(status, body)
        try:
            return strictjson.loads(body, f"the answer of {self.where}")
        except KillickError as error:
            raise error.at("engine") from None

    def unreachable(self, reason: str) -> Unreachable:
        """Return the error for an engine that can't be reached."""
        return Unreachable(f"{self.where} can't be reached: {reason}", side="engine")

    def _ask(self, target: str, accept: str | None) -> tuple[int, bytes]:
        """Return status and body; a kept connection that has ended meanwhile is made anew."""
        fresh = self._connection.sock is None
        try:
            response = self._send(target, accept)
        except ConnectionError:
            self._connection.close()
            if fresh:
                raise
            response = self._send(target, accept)
        with response:
            body = response.read(MOST_ANSWER_BYTES + 1)
        if len(body) > MOST_ANSWER_BYTES:
            raise LimitExceeded(f"an answer of {self.where} is too large", side="engine")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        return response.status, body

    def _send(self, target: str, accept: str | None) -> http.client.HTTPResponse:
        self._connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in (("Accept", accept or "application/json"), *self._headers):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        return self._connection.getresponse()

    def _refusal(self, status: int, body: bytes) -> KillickError:
        said = _message(body)
        message = f"{self.where} answers {status}{f' ({said})' if said else ''}"
        if status == 404:
            return NotFound(message, side="engine")
        if status == 401:
            return Unauthorized(message, side="engine", hint="check the login for this engine")
        if status == 403:
            return Denied(message, side="engine", hint="see docs/fleet.md for the rights it needs")
        return (Expired if status == 410 else ProtocolError)(message, side="engine")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over any line, on which no wait outlasts the deadline."""

    def __init__(self, authority: str, dial: Dial, left: Callable[[], float]) -> None:
        super().__init__(authority)
        self._dial = dial
        self._left = left

    def connect(self) -> None:
        """Connect."""
        self.sock = _Timed(self._dial(self._left()), self._left)


class _Timed:
    """What `http.client` takes for a socket: a line under a deadline."""

    def __init__(self, line: Line, left: Callable[[], float]) -> None:
        self._line = line
        self._left = left
        self._users = 1

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(self._left())
        self._line.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        self._users += 1
        return io.BufferedReader(_Incoming(self))

    def receive(self, buffer: memoryview) -> int:
        self._line.settimeout(self._left())
        return self._line.recv_into(buffer)

    def close(self) -> None:
        """Hang up when the last user is done: an answer may still be read then."""
        self._users -= 1
        if self._users == 0:
            with suppress(OSError):
                self._line.close()


class _Incoming(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # always called so
        return self._timed.receive(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.close()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({error.reason or error})"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _message(body: bytes) -> str:
    """Return what an engine says in a refusal: docker, Podman and Kubernetes use one of these."""
    try:
        value = strictjson.loads(body[:4096], "")
    except KillickError:
        return ""
    for key in ("message", "cause"):
        if isinstance(value, dict) and isinstance(found := value.get(key), str):
            return found[:_MOST_MESSAGE].strip()
    return ""
