"""Answers: their headers, errors as JSON, and content as a stream or as a file."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from killick.digest import CHUNK, Digest
from killick.errors import (
    Conflict,
    ContentError,
    Denied,
    Immutable,
    KillickError,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    Unauthorized,
)
from killick.manifest import Descriptor
from killick.wire.codes import row_of, status_of

_log = logging.getLogger(__name__)

encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""Returns a value as the JSON of an answer."""

Headers = Mapping[str, str]
STANDING: Headers = {
    "Docker-Distribution-API-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}


class Refused(KillickError):
    """A call that the server itself turns down, under an OCI code."""

    code = "refused"

    def __init__(
        self,
        oci_code: str,
        message: str,
        *,
        status: int | None = None,
        detail: object = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message)
        self.oci_code = oci_code
        self.status = status_of(oci_code) if status is None else status
        self.detail = detail
        self.headers = headers


def empty(status: int, headers: Headers | None = None) -> Response:
    """Return an answer without a body."""
    return Response(status_code=status, headers={**STANDING, **(headers or {})})


def json_answer(value: object, headers: Headers | None = None, status: int = 200) -> Response:
    """Return `value` as JSON; `headers` may give another Content-Type."""
    body = encoded(value).encode()
    content_type = {"Content-Type": "application/json"}
    return Response(body, status, {**STANDING, **content_type, **(headers or {})})


def content_headers(d: Descriptor) -> dict[str, str]:
    """Return the headers that go with content, whichever part of it is sent."""
    return {
        **STANDING,
        "Content-Type": d.media_type,
        "Docker-Content-Digest": str(d.digest),
        "ETag": f'"{d.digest}"',
    }


def error_answer(error: KillickError) -> Response:
    """Return `error` as the protocol has it. What failed inside the server is only logged."""
    if isinstance(error, Refused):
        return _errors(error.status, error.oci_code, error.message, error.detail, error.headers)
    if isinstance(error, Unauthorized) and error.side == "remote":
        # It is the server that is not let in elsewhere; other credentials of the caller's won't do.
        error = Denied(error.message)
    row = row_of(error)
    if isinstance(error, StoreError):
        _log.error("%s", error.message)
        return _errors(row.status, row.code, _store_message(error))
    return _errors(row.status, row.code, error.message, _detail(error) or None)


def _detail(error: KillickError) -> dict[str, str | None]:
    """Return what an error tells beside its message."""
    detail: dict[str, str | None] = {"hint": error.hint} if error.hint else {}
    if isinstance(error, Immutable):
        return {**detail, **error.detail}
    if isinstance(error, Conflict):
        return {**detail, "digest": error.current}
    return detail


def _store_message(error: StoreError) -> str:
    """Return what callers may know of a trouble whose own text names the server's files."""
    if isinstance(error, StoreFull):
        return "the registry has no space left"
    if isinstance(error, StoreReadOnly):
        return "the registry can't be written to"
    return "the registry can't read or write what it stores; its log says more"


@contextmanager
def sending(digest: Digest) -> Iterator[None]:
    """Blame the registry, not the caller, for content that turns out wrong as it is sent."""
    try:
        yield
    except ContentError as error:
        raise StoreDamaged(f"{digest} can't be sent: {error.message}") from error


def _errors(
    status: int, code: str, message: str, detail: object = None, headers: Headers | None = None
) -> Response:
    entry = {"code": code, "message": message}
    return json_answer(
        {"errors": [entry if detail is None else entry | {"detail": detail}]}, headers, status
    )


async def on_killick_error(request: Request, error: Exception) -> Response:
    """Answer a call that failed in a foreseen way."""
    return (
        error_answer(error) if isinstance(error, KillickError) else await on_crash(request, error)
    )


async def on_disconnect(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Answer a caller that is gone: nobody reads it."""
    return empty(400)


async def on_crash(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Answer a call that hit a defect; Starlette raises the error again, so that it is logged."""
    return _errors(500, "UNKNOWN", "the registry made a mistake; its log says more")


class FileAnswer(Response):
    """A whole file, sent by the server without passing through Python where it can (pathsend)."""

    def __init__(self, path: Path, size: int, headers: Headers) -> None:
        super().__init__(headers={**headers, "Content-Length": str(size)})
        self._path = path
        self._size = size
        self._given = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.pathsend", "path": str(self._path)})
            return
        stream = await run_in_threadpool(self._path.open, "rb")
        await StreamAnswer(stream, self._size, 200, self._given)(scope, receive, send)


class StreamAnswer(StreamingResponse):
    """The next `size` bytes of a stream, which is closed in any case.

    When reading fails half-way, the connection breaks off: a body is never ended as if it were
    whole.
    """

    def __init__(self, stream: BinaryIO, size: int, status: int, headers: Headers) -> None:
        super().__init__(self._pieces(), status, {**headers, "Content-Length": str(size)})
        self._stream = stream
        self._left = size

    async def _pieces(self) -> AsyncIterator[bytes]:
        while self._left > 0:
            piece = await run_in_threadpool(self._stream.read, min(CHUNK, self._left))
            if not piece:
                raise StoreError("content ended before its size")
            self._left -= len(piece)
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        except KillickError as error:
            _log.error("an answer was broken off: %s", error.message)
        except ClientDisconnect:
            _log.debug("a caller went away")
        finally:
            with CancelScope(shield=True):
                await run_in_threadpool(self._stream.close)
