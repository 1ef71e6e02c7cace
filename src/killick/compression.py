"""Compressed streams, recognised by their first bytes and unpacked within limits."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from io import RawIOBase
from typing import BinaryIO, Protocol, cast

from killick.digest import CHUNK, Bytes
from killick.errors import ContentError, LimitExceeded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST_XZ_MEMORY = 256 * 1024 * 1024


class _Engine(Protocol):
    """What bz2, lzma and zstd call a decompressor."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decompressor, with the manners of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max(max_length, 0))


_FORMATS: dict[bytes, tuple[str, Callable[[], _Engine]]] = {
    b"\x1f\x8b": ("gzip", _Gzip),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": ("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_XZ_MEMORY)),
    b"\x28\xb5\x2f\xfd": ("zstd", zstd.ZstdDecompressor),
}
LONGEST_MAGIC = max(map(len, _FORMATS))


def compression_of(head: bytes) -> str | None:
    """Return how a stream that begins with `head` is compressed: gzip, bzip2, xz, zstd or None."""
    return next((name for magic, (name, _) in _FORMATS.items() if head.startswith(magic)), None)


def decompressed(source: BinaryIO, most: int) -> BinaryIO:
    """Return what `source` holds, unpacked if it is compressed; closing it leaves `source` open.

    Raises (from reading):
        ContentError: the compressed bytes are damaged or cut off.
        LimitExceeded: more than `most` bytes come out.
    """
    head = b""
    while len(head) < LONGEST_MAGIC and (data := source.read(LONGEST_MAGIC - len(head))):
        head += data
    make = next((m for magic, (_, m) in _FORMATS.items() if head.startswith(magic)), None)
    stream = _Plain(source, head) if make is None else _Unpacked(source, head, make)
    return cast("BinaryIO", _Limited(stream, most))


class _Limited(RawIOBase):
    """A stream that fails beyond `most` bytes."""

    def __init__(self, stream: RawIOBase, most: int) -> None:
        self._stream = stream
        self._most = most
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        count = self._stream.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise LimitExceeded(f"more than {self._most} bytes come out of the file", side="file")
        return count


class _Plain(RawIOBase):
    """A stream with its first bytes given back to it."""

    def __init__(self, source: BinaryIO, head: bytes) -> None:
        self._source = source
        self._head = head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        view = memoryview(buffer).cast("B")
        data = self._head[: len(view)] or self._source.read(len(view))
        self._head = self._head[len(view) :]
        view[: len(data)] = data
        return len(data)


class _Unpacked(RawIOBase):
    """What comes out of a compressed stream; several of them one after another are one."""

    def __init__(self, source: BinaryIO, head: bytes, make: Callable[[], _Engine]) -> None:
        self._source = source
        self._feed = head
        self._make = make
        self._engine = make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        view = memoryview(buffer).cast("B")
        try:
            data = self._next(len(view)) if len(view) else b""
        except (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError) as error:
            raise ContentError(f"the compressed file is damaged ({error})", side="file") from error
        view[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        while True:
            if self._engine.eof and not self._go_on():
                return b""
            if self._engine.needs_input and not self._feed:
                self._feed = self._source.read(CHUNK)
                if not self._feed:
                    raise EOFError("it ends too soon")
            feed, self._feed = self._feed, b""
            if data := self._engine.decompress(feed, most):
                return data

    def _go_on(self) -> bool:
        """Begin with the next compressed stream, if there is one, past any zeros."""
        rest = self._engine.unused_data
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._source.read(CHUNK)):
                return False
        self._feed = rest
        self._engine = self._make()
        return True
