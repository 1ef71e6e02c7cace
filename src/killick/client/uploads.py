"""Getting a blob into a registry: in one piece if it goes well, from where it broke if not.

A POST opens the upload, a PUT with the whole content closes it. Where that breaks, and the source
can go back, the registry is asked how much has arrived, and the rest is sent by PATCH; in pieces
where the registry, or a proxy before it, takes no large bodies. Unless their source answers for
them, the bytes are hashed on the way, and the last of them are only sent once the hash is right:
wrong content never makes an upload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from killick.client.answers import Asked, failure
from killick.client.body import PROGRESS
from killick.client.dial import Interrupted
from killick.client.messages import Request, Response
from killick.client.origin import Url, Zone
from killick.client.redirects import lead
from killick.client.retry import AGAIN, seconds
from killick.digest import CHUNK, Bytes, SizeCheck, Verifier, is_answered_for
from killick.errors import (
    DigestMismatch,
    KillickError,
    ProtocolError,
    StoreError,
    Unreachable,
)

if TYPE_CHECKING:
    from killick.client.auth import Auth
    from killick.client.session import Session
    from killick.manifest import Descriptor

PIECE = 8 * 1024 * 1024
MOST_PIECE = 512 * 1024 * 1024
COMMIT_RATE = 10 * 1024 * 1024
"""Bytes per second at which a registry must be able to commit an upload, before it answers."""

_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_BLOB = "application/octet-stream"
# Besides what passes by itself: a token that has run out, an upload that was lost or is elsewhere
# than we thought, and a body too large for something in between.
_WORTH_ANOTHER = AGAIN | {401, 404, 413, 416}


class Supply:
    """The content of a descriptor, for one or more requests, verified before its end is sent."""

    def __init__(self, d: Descriptor, source: BinaryIO) -> None:
        self._descriptor = d
        self._source = source
        check = SizeCheck if is_answered_for(source, d.digest) else Verifier
        self._check = check(d.digest, d.size)
        self._start = source.tell() if source.seekable() else None
        self.position = 0
        if d.size == 0:
            self._finish()

    @property
    def can_go_back(self) -> bool:
        """Whether what was sent can be sent again."""
        return self._start is not None

    def go_to(self, offset: int) -> None:
        """Go on at `offset`, which lies before all that was read.

        Raises:
            StoreError: the source can't go there.
        """
        try:
            self._source.seek((self._start or 0) + offset)
        except OSError:
            raise StoreError(
                f"the content of {self._descriptor.digest} can't be read again"
            ) from None
        self.position = offset

    def take(self, count: int) -> Iterator[Bytes]:
        """Yield the next `count` bytes, each piece valid until the next one is asked for.

        Raises:
            DigestMismatch: the content is not what it should be.
        """
        buffer = memoryview(bytearray(min(CHUNK, count)))
        while count:
            data = self._read(buffer[:count])
            count -= len(data)
            self.position += len(data)
            yield data

    def _read(self, buffer: memoryview) -> memoryview:
        read_into = getattr(self._source, "readinto", None)
        try:
            if read_into is not None:
                data = buffer[: read_into(buffer) or 0]
            else:
                data = memoryview(self._source.read(len(buffer)))
        except OSError as error:
            raise StoreError(
                f"the content of {self._descriptor.digest} can't be read ({error.strerror})"
            ) from None
        fresh = self.position + len(data) - self._check.seen
        if fresh > 0:
            self._check.update(data[len(data) - fresh :])
        if not data or self.position + len(data) == self._descriptor.size:
            self._finish()
        return data

    def _finish(self) -> None:
        self._check.update(self._source.read(1))
        self._check.finish()


class _Part:
    """The next `size` bytes of a supply, as the body of a request."""

    def __init__(self, supply: Supply, size: int) -> None:
        self.size = size
        self._supply = supply

    def pieces(self) -> Iterator[Bytes]:
        """Yield them; once only."""
        return self._supply.take(self.size)


class Place:
    """Where an upload goes on: the URL that the registry named last, and how far in it may lie."""

    def __init__(self, url: Url, innermost: Zone, least: int) -> None:
        self.url = url
        self.innermost = innermost
        self.least = least

    @classmethod
    def named_by(cls, response: Response, session: Session, before: Place | None = None) -> Place:
        """Return the place in the `Location` of an answer.

        Raises:
            ProtocolError: there is none.
            Denied: it is one to which nobody may be led.
        """
        location = response.header("Location")
        if location is None:
            if before is not None:
                return before
            raise ProtocolError(
                f"{session.domain} opens an upload without saying where", side="remote"
            )
        url = lead(response, location, plain_http=bool(session.access.plain_http))
        own = url.origin == session.origin
        stated = response.header("OCI-Chunk-Min-Length") or ""
        least = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 12 else 0
        return cls(url, Zone.NOWHERE if own else response.zone, min(least, MOST_PIECE))

    def request(self, method: str, *, query: str = "") -> Request:
        """Return a request to this place."""
        url = self.url.with_query(query) if query else self.url
        return Request(method, url, innermost=self.innermost)


class Upload:
    """One blob on its way into the repository at `path`. `place` is an upload begun before."""

    def __init__(
        self,
        session: Session,
        auth: Auth,
        path: str,
        d: Descriptor,
        place: Place | None = None,
    ) -> None:
        self._session = session
        self._auth = auth
        self._path = path
        self._descriptor = d
        self._place = place
        self._scopes = (f"repository:{path}:pull,push",)
        self._asked = Asked("blob", str(d.digest), session.domain)
        self._retry = session.retry()
        self._held = 0

    def send(self, source: BinaryIO) -> None:
        """Send the content.

        Raises:
            DigestMismatch: the content is wrong, or the registry finds it so.
            Unreachable, Denied: the registry does not take it.
        """
        supply = Supply(self._descriptor, source)
        try:
            if not self._whole(supply):
                self._resumed(supply)
        except DigestMismatch:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Have the registry forget the upload; if it does not, it will in time."""
        if self._place is not None:
            with suppress(KillickError):
                self._once(self._place.request("DELETE")).close()

    def _begin(self) -> Place:
        request = Request("POST", self._session.url(f"/v2/{self._path}/blobs/uploads/"))
        response = self._session.send(request, self._auth, self._scopes, self._retry)
        if response.status != 202:
            raise failure(response, Asked("upload", f"to {self._path}", self._session.domain))
        with response:
            return Place.named_by(response, self._session)

    def _whole(self, supply: Supply) -> bool:
        """Send all in one request; False if it is worth going on from where that broke."""
        place = self._place = self._place or self._begin()
        body = _Part(supply, self._descriptor.size)
        try:
            response = self._once(self._closing(place, body))
        except Interrupted as error:
            if not supply.can_go_back:
                raise self._broken() from None
            self._session.pause(self._retry, error)
            return False
        if self._is_taken(response):
            return True
        if not supply.can_go_back or response.status not in _WORTH_ANOTHER:
            raise failure(response, self._asked)
        self._wait(response)
        return False

    def _broken(self) -> Unreachable:
        return Unreachable(
            f"the connection to {self._session.domain} broke while {self._descriptor.digest} "
            "was being sent",
            side="remote",
            hint="try again",
        )

    def _wait(self, response: Response) -> None:
        """Wait before the next try, or raise what `response` says."""
        pause = self._retry.wait(seconds(response.header("Retry-After")))
        if pause is None:
            raise failure(response, self._asked)
        response.close()
        self._session.rest(pause)

    def _resumed(self, supply: Supply) -> None:
        """Send what is missing, as often as it breaks."""
        while True:
            try:
                place = self._place = self._arrived(supply)
                self._patch(supply, place)
                response = self._once(self._closing(self._place or place, None))
            except Interrupted as error:
                self._session.pause(self._retry, error)
                continue
            if self._is_taken(response):
                return
            if response.status not in _WORTH_ANOTHER:
                raise failure(response, self._asked)
            self._wait(response)

    def _arrived(self, supply: Supply) -> Place:
        """Ask how much has arrived, and have the supply go on there; else begin anew."""
        if self._place is not None:
            response = self._once(self._place.request("GET"))
            with response:
                match = _RANGE.fullmatch(response.header("Range") or "")
                # 0-0 is what some registries say for one byte, and others for none.
                if response.status in (200, 202, 204) and match and match[1] != "0":
                    supply.go_to(min(int(match[1]) + 1, supply.position))
                    self._count(supply.position)
                    return Place.named_by(response, self._session, self._place)
        supply.go_to(0)
        return self._begin()

    def _count(self, held: int) -> None:
        """Take notice of how much the registry holds; enough of it gives all tries again."""
        if held - self._held >= PROGRESS:
            self._held = held
            self._retry.progressed()

    def _patch(self, supply: Supply, place: Place) -> None:
        """Send the rest in pieces, following the places that the registry names."""
        while supply.position < self._descriptor.size:
            start = supply.position
            size = min(max(PIECE, place.least), self._descriptor.size - start)
            request = replace(
                place.request("PATCH"),
                headers={
                    "Content-Type": _BLOB,
                    "Content-Range": f"{start}-{start + size - 1}",
                },
                body=_Part(supply, size),
                slack=size / COMMIT_RATE,
            )
            response = self._once(request)
            if response.status in _WORTH_ANOTHER and response.status != 413:
                response.close()
                raise Interrupted(
                    f"{self._session.domain} did not take a part of an upload", side="remote"
                )
            if response.status not in (201, 202, 204):
                raise failure(response, self._asked)
            with response:
                place = self._place = Place.named_by(response, self._session, place)
            self._count(supply.position)

    def _closing(self, place: Place, body: _Part | None) -> Request:
        digest = quote(str(self._descriptor.digest), safe="")
        return replace(
            place.request("PUT", query=f"digest={digest}"),
            headers={"Content-Type": _BLOB},
            body=body,
            slack=self._descriptor.size / COMMIT_RATE,
        )

    def _is_taken(self, response: Response) -> bool:
        if response.status not in (201, 204):
            return False
        with response:
            stated = response.header("Docker-Content-Digest")
        if stated is not None and stated != str(self._descriptor.digest):
            raise DigestMismatch(
                f"{self._session.domain} stored {self._descriptor.digest} under another digest",
                side="remote",
            )
        return True

    def _once(self, request: Request) -> Response:
        return self._session.once(request, self._auth, self._scopes)


def mount(
    session: Session, auth: Auth, path: str, d: Descriptor, sister: str
) -> tuple[bool, Place | None]:
    """Ask that `d` be made visible in `path` from `sister`; else, an upload may have been begun."""
    query = f"mount={quote(str(d.digest), safe='')}&from={quote(sister, safe='')}"
    scopes: Sequence[str] = (f"repository:{path}:pull,push", f"repository:{sister}:pull")
    request = Request("POST", session.url(f"/v2/{path}/blobs/uploads/?{query}"))
    with session.send(request, auth, scopes) as response:
        if response.status == 201:
            return True, None
        if response.status == 202:
            return False, Place.named_by(response, session)
    return False, None
