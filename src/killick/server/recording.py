"""What is noted of each request: a request ID, the figures, the access log.

`Recorder.done` is the one call that whoever answers a request makes; `Observed` makes it for
everything below it. (The hot path makes it itself, for half of what that costs.)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Awaitable, Iterable
from itertools import count
from secrets import token_hex
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from killick.server.accesslog import AccessLog
from killick.server.drain import Drain
from killick.server.figures import Figures, Seen

HEADER = b"x-request-id"
CLOSE = (b"connection", b"close")
"""What an answer says whose connection is to be closed."""
KEY = "killick.trace"
"""Where a request's `Trace` is in its ASGI scope."""

_SANE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ANONYMOUS = "-"
_WITHOUT_BODY = frozenset({"GET", "HEAD"})


class RequestIds:
    """Names for requests: what the caller gave if it is sane, else one that nobody else has."""

    def __init__(self) -> None:
        self._prefix = f"{os.getpid():x}-{token_hex(4)}-"
        self._numbers = count(1)

    def of(self, given: bytes | None) -> str:
        """Return the ID of a request whose `X-Request-ID` is `given`."""
        if given is not None and _SANE.fullmatch(given):
            return given.decode("ascii")
        return f"{self._prefix}{next(self._numbers):x}"


class Recorder:
    """Where requests are told of. Without a log, only the figures are kept."""

    def __init__(self, figures: Figures | None = None, log: AccessLog | None = None) -> None:
        self.figures = figures or Figures()
        self.ids = RequestIds()
        self._log = log

    def done(self, seen: Seen) -> None:
        """Note a request that was answered. Called on the event loop only."""
        self.figures.request(seen)
        if self._log is not None:
            self._log.add(seen)

    def close(self) -> None:
        """Write what still waits to be written."""
        if self._log is not None:
            self._log.close()


class Trace:
    """What is known of a request under way; whoever finds out more sets it here."""

    __slots__ = ("caller", "received", "request", "route", "sent", "status")

    def __init__(self, request: str) -> None:
        self.request = request
        self.route = "none"
        self.caller = _ANONYMOUS
        self.status = 0
        self.sent = 0
        self.received = 0


def trace_of(scope: Scope) -> Trace:
    """Return the trace of a request (one that nobody reads, where nothing is recorded)."""
    found = scope.get(KEY)
    return found if isinstance(found, Trace) else Trace("")


class Observed:
    """An application whose requests are recorded, and whose answers carry their request's ID.

    Once `drain` has begun, answers ask their callers to close the connection.
    """

    def __init__(self, app: ASGIApp, recorder: Recorder, drain: Drain | None = None) -> None:
        self._app = app
        self._recorder = recorder
        self._drain = drain or Drain()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the application has
        return getattr(self._app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        trace = Trace(self._recorder.ids.of(_header(scope, HEADER)))
        scope[KEY] = trace
        if scope["method"] not in _WITHOUT_BODY:
            receive = _counted(receive, trace)
        try:
            await self._app(scope, receive, _marked(send, trace, self._drain))
        finally:
            self._recorder.done(_seen(scope, trace, time.perf_counter() - started))


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def _counted(receive: Receive, trace: Trace) -> Receive:
    async def receiving() -> Message:
        message = await receive()
        trace.received += len(message.get("body", b""))
        return message

    return receiving


def _marked(send: Send, trace: Trace, drain: Drain) -> Send:
    """Return `send`, which notes what is sent, and adds to the headers what every answer has."""
    headers: list[tuple[bytes, bytes]] = []

    def sending(message: Message) -> Awaitable[None]:
        nonlocal headers
        kind = message["type"]
        if kind == "http.response.body":
            trace.sent += len(message.get("body", b""))
        elif kind == "http.response.start":
            trace.status = message["status"]
            headers = message["headers"]
            headers.append((HEADER, trace.request.encode("ascii")))
            if drain.has_begun:
                headers.append(CLOSE)
        else:
            trace.sent += _length(headers)
        return send(message)

    return sending


def _length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    return next((int(value) for key, value in headers if key == b"content-length"), 0)


def _seen(scope: Scope, trace: Trace, seconds: float) -> Seen:
    return Seen(
        scope["method"],
        trace.route,
        trace.status,
        trace.sent,
        trace.received,
        seconds,
        trace.caller,
        trace.request,
        scope["path"],
        client_of(scope),
    )


def client_of(scope: Scope) -> str:
    """Return the address that a request came from."""
    client = scope.get("client")
    return client[0] if client else "-"
