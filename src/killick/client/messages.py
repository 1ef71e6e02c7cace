"""What is sent and what comes back: requests, and answers whose bodies are read as they come."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from killick.client.dial import Interrupted, translated
from killick.client.origin import Url, Zone
from killick.client.pool import Pool, closed
from killick.errors import KillickError, LimitExceeded

if TYPE_CHECKING:
    from io import BufferedReader

    from killick.client.channel import Channel
    from killick.client.credential import Authorization
    from killick.digest import Bytes

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
