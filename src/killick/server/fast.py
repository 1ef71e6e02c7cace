"""The hot path: GET and HEAD of manifests and whole blobs, and GET of lists, asked for before.

It stands in front of the application, takes the calls that need nothing unusual, and answers them
on the event loop, from a registry that is `Quick`. Its answers are the application's own, to the
byte; and whatever it can't give, or may not, it leaves to the application.

Only paths (of lists, with their query) that the application has answered lately in this process are
looked at: what the answer takes has then just been read, and lies in memory, so that the loop does
not wait for a disk.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Literal, NamedTuple

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import Descriptor
from killick.names import Tag
from killick.repository import Glimpse, Head, Quick
from killick.server.access import Caller
from killick.server.calls import Site, reference_of
from killick.server.figures import Seen
from killick.server.heads import header_of
from killick.server.paging import first, link
from killick.server.recording import CLOSE, HEADER, client_of
from killick.server.responses import STANDING, content_headers, encoded
from killick.server.routes import target_of

MOST_PATHS = 8192
MOST_NAMES = 1000
"""Names in a list that is made on the event loop: that takes half a millisecond."""

_UNUSUAL = frozenset({b"if-none-match", b"if-match", b"range", b"if-range"})
_OUR_OWN = b"killick-"
_METHODS = ("GET", "HEAD")
_PATHSEND = "http.response.pathsend"
_PAGE = re.compile(rb"(?:n=([0-9]{1,9}))?(?:(?(1)&)last=([A-Za-z0-9._/-]+))?")
_RawHeaders = list[tuple[bytes, bytes]]
_LIST_HEADERS: _RawHeaders = Response(
    headers={**STANDING, "Content-Type": "application/json", "Content-Length": "0"}
).raw_headers[:-1]


class _Goal(NamedTuple):
    """What a path leads to: content of a repository, or a page of a list (`most`, `after`)."""

    kind: Literal["manifest", "blob", "tags", "catalog"]
    name: str
    reference: Tag | Digest | None = None
    most: int | None = None
    after: str = ""


class _Answer(NamedTuple):
    """What is sent, with 200. `size` is that of the body, which is `content`, or a file's."""

    headers: _RawHeaders
    size: int
    content: bytes | None
    path: str | None
    route: str
    caller: str


class Fast:
    """An ASGI application that answers what is common and simple, in front of the one for all."""

    def __init__(self, site: Site, quick: Quick, application: ASGIApp) -> None:
        self._gate = site.gate
        self._quick = quick
        self._application = application
        self._most = site.limits.page
        self._recorder = site.operations.recorder
        self._drain = site.operations.drain
        self._known: dict[tuple[bytes, bytes], _Goal] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self._application(scope, receive, send)
            return
        started = time.perf_counter()
        key = (scope["raw_path"], scope["query_string"])
        goal = self._known.get(key)
        if goal is None:
            await self._application(scope, receive, self._watched(key, send))
            return
        caller, request = self._asked(scope["headers"])
        found = None if caller is None else self._find(goal, caller, scope)
        if found is None:
            await self._application(scope, receive, send)
            return
        named = self._recorder.ids.of(request)
        found.headers.append((HEADER, named.encode("ascii")))
        if self._drain.has_begun:
            found.headers.append(CLOSE)
        sent = 0
        try:
            sent = await _send(found, scope["method"], send)
        finally:
            self._recorder.done(_seen(scope, found, named, sent, time.perf_counter() - started))

    def _asked(self, headers: _RawHeaders) -> tuple[Caller | None, bytes | None]:
        """Return who calls, and the request's ID; nobody where there is anything unusual."""
        credentials: str | None = None
        request: bytes | None = None
        for key, value in headers:
            if key in _UNUSUAL or key.startswith(_OUR_OWN):
                return None, None
            if key == b"authorization":
                if credentials is not None:
                    return None, None
                credentials = value.decode("latin-1")
            elif key == HEADER and request is None:
                request = value
        return self._gate.recall(credentials), request

    def _find(self, goal: _Goal, caller: Caller, scope: Scope) -> _Answer | None:
        """Return what the call asks for, if its caller may have it and nothing else is needed."""
        if goal.reference is None:
            return self._list(goal, caller) if scope["method"] == "GET" else None
        if not caller.may("pull", goal.name):
            return None
        if goal.kind == "manifest":
            found = self._quick.glance(goal.name, goal.reference)
        elif _PATHSEND in scope.get("extensions", ()) and isinstance(goal.reference, Digest):
            found = self._quick.glance_blob(goal.name, goal.reference)
        else:
            return None
        if found is None:
            return None
        path = None if found.path is None else str(found.path)
        return _Answer(_headers(found), found.size, found.content, path, goal.kind, caller.name)

    def _list(self, goal: _Goal, caller: Caller) -> _Answer | None:
        """Return a page of names; None where it is empty, long, or not all is for this caller."""
        most = self._most if goal.most is None else min(goal.most, self._most)
        names = self._names(goal, caller, min(most, MOST_NAMES) + 1)
        if not names or len(names) > MOST_NAMES or most == 0:
            return None
        page, more = first(names, most)
        value = {"name": goal.name, "tags": page} if goal.kind == "tags" else {"repositories": page}
        content = encoded(value).encode()
        headers = _LIST_HEADERS.copy()
        if more:
            path = f"/v2/{goal.name}/tags/list" if goal.kind == "tags" else "/v2/_catalog"
            following = link(path, {"n": str(most), "last": page[-1]})["Link"]
            headers.append((b"link", following.encode("latin-1")))
        headers.append((b"content-length", b"%d" % len(content)))
        return _Answer(headers, len(content), content, None, goal.kind, caller.name)

    def _names(self, goal: _Goal, caller: Caller, most: int) -> list[str] | None:
        if goal.kind == "tags":
            if not caller.may("pull", goal.name):
                return None
            return self._quick.glance_tags(goal.name, goal.after, most)
        found = None
        if caller.may("list", ""):
            found = self._quick.glance_repositories(goal.after, most)
        if found is None or not all(caller.may("list", name) for name in found):
            return None
        return found

    def _watched(self, key: tuple[bytes, bytes], send: Send) -> Send:
        """Return `send`, which notes the path when it leads to content or to a list."""

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._note(*key)
            await send(message)

        return watch

    def _note(self, path: bytes, query: bytes) -> None:
        if (path, query) in self._known:
            return
        goal = _goal(path, query)
        if goal is None:
            return
        if len(self._known) >= MOST_PATHS:
            del self._known[next(iter(self._known))]
        self._known[path, query] = goal


async def _send(found: _Answer, method: str, send: Send) -> int:
    """Send an answer; return how many bytes its body has."""
    await send({"type": "http.response.start", "status": 200, "headers": found.headers})
    if method == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return 0
    if found.path is not None:
        await send({"type": _PATHSEND, "path": found.path})
    else:
        await send({"type": "http.response.body", "body": found.content})
    return found.size


def _seen(scope: Scope, found: _Answer, request: str, sent: int, seconds: float) -> Seen:
    told = (found.route, 200, sent, 0, seconds, found.caller, request)
    return Seen(scope["method"], *told, scope["path"], client_of(scope))


def _goal(path: bytes, query: bytes) -> _Goal | None:
    """Return what a path leads to, if it is content or a list, and there is nothing else in it."""
    try:
        target = target_of(path)
        if b"?" in path:
            return None
        if target.kind in ("tags", "catalog"):
            return _page(target.kind, target.name, query)
        if query or target.kind not in ("manifest", "blob"):
            return None
        return _Goal(target.kind, target.name, reference_of(target.item))
    except KillickError:
        return None


def _page(kind: Literal["tags", "catalog"], name: str, query: bytes) -> _Goal | None:
    """Return the page of a list that a query asks for, if it is as our own links have it."""
    found = _PAGE.fullmatch(query.replace(b"%2F", b"/"))
    if found is None:
        return None
    most, last = found.groups()
    number = None if most is None else int(most)
    return _Goal(kind, name, None, number, "" if last is None else last.decode("ascii"))


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
