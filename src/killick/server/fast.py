"""The hot path: GET and HEAD of manifests and whole blobs that were asked for before.

It stands in front of the application, takes the calls that need nothing unusual, and answers them
on the event loop, from a registry that is `Quick`. Its answers are the application's own, to the
byte; and whatever it can't give, or may not, it leaves to the application.

Only paths that the application has answered lately in this process are looked at: what the answer
takes has then just been read, and lies in memory, so that the loop does not wait for a disk.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import Glimpse, Head, Quick
from killick.server.calls import Site, reference_of
from killick.server.heads import header_of
from killick.server.recording import trace_of
from killick.server.responses import content_headers
from killick.server.routes import target_of

MOST_PATHS = 8192

_UNUSUAL = frozenset({b"if-none-match", b"if-match", b"range", b"if-range"})
_OUR_OWN = b"killick-"
_METHODS = ("GET", "HEAD")
_PATHSEND = "http.response.pathsend"
_RawHeaders = list[tuple[bytes, bytes]]


class _Goal(NamedTuple):
    """What a path leads to: content of a repository."""

    kind: Literal["manifest", "blob"]
    name: str
    reference: Tag | Digest


class Fast:
    """An ASGI application that answers what is common and simple, in front of the one for all."""

    def __init__(self, site: Site, quick: Quick, application: ASGIApp) -> None:
        self._gate = site.gate
        self._quick = quick
        self._application = application
        self._known: dict[bytes, _Goal] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http" or scope["method"] not in _METHODS or scope["query_string"]:
            await self._application(scope, receive, send)
            return
        path: bytes = scope["raw_path"]
        goal = self._known.get(path)
        found = None if goal is None else self._find(goal, scope)
        if found is None:
            await self._application(scope, receive, self._watched(path, send))
            return
        await send({"type": "http.response.start", "status": 200, "headers": _headers(found)})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
        elif found.path is not None:
            await send({"type": _PATHSEND, "path": str(found.path)})
        else:
            await send({"type": "http.response.body", "body": found.content})

    def _find(self, goal: _Goal, scope: Scope) -> Glimpse | None:
        """Return what the call asks for, if its caller may have it and nothing else is needed."""
        credentials: str | None = None
        for key, value in scope["headers"]:
            if key in _UNUSUAL or key.startswith(_OUR_OWN):
                return None
            if key == b"authorization":
                if credentials is not None:
                    return None
                credentials = value.decode("latin-1")
        caller = self._gate.recall(credentials)
        if caller is None or not caller.may("pull", goal.name):
            return None
        found = self._glance(goal, sends_files=_PATHSEND in scope.get("extensions", ()))
        if found is not None:
            trace = trace_of(scope)
            trace.route, trace.caller = goal.kind, caller.name
        return found

    def _glance(self, goal: _Goal, *, sends_files: bool) -> Glimpse | None:
        if goal.kind == "manifest":
            return self._quick.glance(goal.name, goal.reference)
        if sends_files and isinstance(goal.reference, Digest):
            return self._quick.glance_blob(goal.name, goal.reference)
        return None

    def _watched(self, path: bytes, send: Send) -> Send:
        """Return `send`, which notes the path when it leads to content."""

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._note(path)
            await send(message)

        return watch

    def _note(self, path: bytes) -> None:
        if path in self._known:
            return
        goal = _goal(path)
        if goal is None:
            return
        if len(self._known) >= MOST_PATHS:
            del self._known[next(iter(self._known))]
        self._known[path] = goal


def _goal(path: bytes) -> _Goal | None:
    """Return what a path leads to, if it is content, and there is nothing else in it."""
    try:
        target = target_of(path)
        if target.kind not in ("manifest", "blob") or b"?" in path:
            return None
        return _Goal(target.kind, target.name, reference_of(target.item))
    except KillickError:
        return None


def _headers(found: Glimpse) -> _RawHeaders:
    media_type, digest, size, content, _, head = found
    before, after = _content_headers(media_type, digest, size, content is not None)
    # A new list: what stands around the application may add to it.
    return [*before, *_head_headers(head), *after] if head is not None else [*before, *after]


@lru_cache(maxsize=4096)
def _content_headers(
    media_type: str, digest: str, size: int, document: bool
) -> tuple[_RawHeaders, _RawHeaders]:
    """Return what stands before the headers of a ledger's head, and what stands after."""
    headers = content_headers(Descriptor(media_type, Digest.parse(digest), size))
    if not document:
        headers["Accept-Ranges"] = "bytes"
    raw = Response(headers={**headers, "Content-Length": str(size)}).raw_headers
    return raw[:-1], raw[-1:]


@lru_cache(maxsize=4096)
def _head_headers(head: Head) -> _RawHeaders:
    said = header_of(head)
    return Response(headers={**said, "Content-Length": "0"}).raw_headers[:-1]
