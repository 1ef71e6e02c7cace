"""A download that goes on: broken connections are taken up where they broke, by Range."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from killick.client.dial import Interrupted
from killick.client.retry import Retry
from killick.digest import CHUNK
from killick.errors import DigestMismatch, KillickError, ProtocolError

if TYPE_CHECKING:
    from killick.client.messages import Response
    from killick.digest import Bytes
    from killick.manifest import Descriptor

PROGRESS = 1024 * 1024
"""Bytes that make a try count as a success, so that the next break finds all tries again."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Download(io.RawIOBase):
    """The content of a descriptor as a registry sends it; nothing is verified here but lengths.

    `ask` gets the bytes from an offset on, by an answer of status 200 or 206, or raises; `pause`
    waits before the next of the tries in `retry`, or raises. A registry that does not honour Range
    sends all from the start, and what is known already is skipped.

    Raises (from the constructor and from reading):
        Unreachable: the connection failed more often than is tried.
        DigestMismatch: another length is announced than the descriptor's.
        ProtocolError: the registry sends another part than was asked for.
    """

    def __init__(
        self,
        d: Descriptor,
        start: int,
        ask: Callable[[int], Response],
        retry: Retry,
        pause: Callable[[Retry, Interrupted], None],
    ) -> None:
        self._descriptor = d
        self._ask = ask
        self._retry = retry
        self._pause = pause
        self._response: Response | None = None
        self._position = start
        self._since = 0
        self._reach(start)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: another part can be asked for."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on reading at `offset` from the start, the only `whence` there is."""
        if whence != io.SEEK_SET or not 0 <= offset <= self._descriptor.size:
            raise io.UnsupportedOperation("only offsets within the content can be gone to")
        if offset != self._position:
            self._drop()
            self._position = offset
            self._reach(offset)
        return offset

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._position

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        """Fill `buffer` with the next bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        while view and (response := self._response) is not None:
            try:
                # One byte more than there should be is handed on, for the reader to stumble over.
                count = response.readinto(view[: self._descriptor.size - self._position + 1])
                if not count and self._position < self._descriptor.size:
                    raise Interrupted(
                        f"{response.url.origin.netloc} sent {self._position} bytes of "
                        f"{self._descriptor.size}",
                        side="remote",
                    )
            except Interrupted as error:
                self._again(error)
                continue
            self._position += count
            self._count(count)
            if not count or self._position > self._descriptor.size:
                self._drop()
            return count
        return 0

    def _count(self, count: int) -> None:
        self._since += count
        if self._since >= PROGRESS:
            self._since = 0
            self._retry.progressed()

    def _again(self, error: Interrupted) -> None:
        self._drop()
        self._pause(self._retry, error)
        self._reach(self._position)

    def _reach(self, start: int) -> None:
        """Have the bytes from `start` on come in."""
        if start >= self._descriptor.size > 0:
            return
        while self._response is None:
            response = self._ask(start)
            try:
                self._skip(response, start)
            except Interrupted as error:
                response.close()
                self._pause(self._retry, error)
                continue
            except KillickError:
                response.close()
                raise
            self._response = response

    def _skip(self, response: Response, start: int) -> None:
        """Check that `response` brings the bytes from `start` on, or skip to them."""
        size = self._descriptor.size
        if response.status == 206:
            match = _CONTENT_RANGE.fullmatch((response.header("Content-Range") or "").strip())
            right = match and (int(match[1]), int(match[2])) == (start, size - 1)
            if not right or (match and match[3] not in ("*", str(size))):
                raise ProtocolError(
                    f"{response.url.origin.netloc} sends another part of "
                    f"{self._descriptor.digest} than was asked for",
                    side="remote",
                )
            return
        if response.length is not None and response.length != size:
            raise DigestMismatch(
                f"{self._descriptor.digest} should have {size} bytes, but "
                f"{response.url.origin.netloc} has {response.length}",
                side="remote",
            )
        buffer = memoryview(bytearray(min(start, CHUNK)))
        while start:
            count = response.readinto(buffer[:start])
            if not count:
                raise Interrupted(f"{response.url.origin.netloc} broke off", side="remote")
            start -= count

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def close(self) -> None:
        """Be done with it."""
        if not self.closed:
            self._drop()
        super().close()
