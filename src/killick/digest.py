"""Digests: the hash of some bytes, as a name for them (OCI image-spec, descriptor.md, "Digests").

A `Digest` is a value: parsed once, then immutable. Bytes are checked against one by a `Verifier`,
which is fed as they pass and fails on one byte too many, one too few or one wrong.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from killick.bounds import bound
from killick.errors import BadDigest, DigestMismatch, UnverifiableDigest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Bytes = bytes | bytearray | memoryview

CHUNK = 256 * 1024
"""Bytes moved at once; measured best for receive + hash + write (they stay in the cache)."""

CANONICAL = "sha256"
"""The algorithm of digests, where nobody asks for another."""

_GRAMMAR = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
_HEX_LENGTHS = {"sha256": 64, "sha512": 128}
_MOST_CHARACTERS = bound(512, "characters", "digest")


class Hasher(Protocol):
    """What `hashlib` returns, as far as it is used here."""

    def update(self, data: Bytes, /) -> None:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the hash of all bytes taken, in lower-case hexadecimal digits."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some content: `algorithm` and the hash, `encoded`.

    Make one with `parse` or `of`; the constructor does not check. `str()` gives the usual form
    `sha256:9f86d0…`. A parsed digest of a registered algorithm is safe as two path components.
    """

    algorithm: str
    encoded: str

    def __hash__(self) -> int:
        return hash(self.encoded)  # a text hashes itself once; a pair would be made each time

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that `text` spells.

        The grammar is the OCI image-spec's; `sha256` and `sha512` must be 64 and 128 lower-case
        hexadecimal digits. Other algorithms parse, but can't be verified.

        Raises:
            BadDigest: `text` is not a digest.
        """
        match = _GRAMMAR.fullmatch(text) if len(text) <= _MOST_CHARACTERS else None
        if match is None:
            shown = text if len(text) <= 100 else text[:100] + "…"
            raise BadDigest(f"{shown!r} is not a digest", hint=_HINT)
        algorithm, encoded = match.groups()
        length = _HEX_LENGTHS.get(algorithm)
        if length is not None and not re.fullmatch(rf"[0-9a-f]{{{length}}}", encoded):
            raise BadDigest(
                f"{text!r} is not a digest: {algorithm} has {length} lower-case hexadecimal digits",
                hint=_HINT,
            )
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: Bytes, algorithm: str = "sha256") -> Digest:
        """Return the digest of `data`.

        Raises:
            UnverifiableDigest: `algorithm` can't be computed.
        """
        hasher = _hasher(algorithm)
        hasher.update(data)
        return cls(algorithm, hasher.hexdigest())

    @property
    def verifiable(self) -> bool:
        """Whether content can be checked against this digest."""
        return self.algorithm in _HEX_LENGTHS

    @property
    def short(self) -> str:
        """The first twelve digits, as docker shows image IDs."""
        return self.encoded[:12]

    def hasher(self) -> Hasher:
        """Return a fresh hash of this algorithm.

        Raises:
            UnverifiableDigest: the algorithm can't be computed.
        """
        return _hasher(self.algorithm)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


_HINT = "write it as sha256:<64 hexadecimal digits>"


def _hasher(algorithm: str) -> Hasher:
    if algorithm not in _HEX_LENGTHS:
        raise UnverifiableDigest(
            f"content can't be verified by the digest algorithm {algorithm[:40]!r}",
            hint="use an image whose digests are sha256 or sha512",
        )
    return hashlib.new(algorithm, usedforsecurity=True)


class SizeCheck:
    """Counts bytes as they pass, and fails where they are not `size` (None: any size)."""

    def __init__(self, digest: Digest, size: int | None) -> None:
        self.digest = digest
        self.size = size
        self.seen = 0

    def update(self, data: Bytes) -> None:
        """Take the next bytes.

        Raises:
            DigestMismatch: they are more than `size` allows.
        """
        self.seen += len(data)
        if self.size is not None and self.seen > self.size:
            raise DigestMismatch(
                f"{self.digest} should have {self.size} bytes, but more arrived",
                side="remote",
                hint=_MISMATCH_HINT,
            )

    def finish(self) -> None:
        """Check that all bytes came.

        Raises:
            DigestMismatch: they are too few.
        """
        if self.size is not None and self.seen != self.size:
            raise DigestMismatch(
                f"{self.digest} should have {self.size} bytes, but only {self.seen} arrived",
                side="remote",
                hint=_MISMATCH_HINT,
            )


class Verifier(SizeCheck):
    """Checks bytes, as they pass, against a digest and a size in bytes (None: any size).

    Raises `UnverifiableDigest` at once where the algorithm can't be computed.
    """

    def __init__(self, digest: Digest, size: int | None) -> None:
        super().__init__(digest, size)
        self._hasher = digest.hasher()

    def update(self, data: Bytes) -> None:
        """Take the next bytes.

        Raises:
            DigestMismatch: they are more than `size` allows (checked before they are hashed).
        """
        super().update(data)
        self._hasher.update(data)

    def finish(self) -> None:
        """Check that all bytes came, and that they are the right ones.

        Raises:
            DigestMismatch: they are too few, or hash to something else.
        """
        super().finish()
        actual = self._hasher.hexdigest()
        if actual != self.digest.encoded:
            raise DigestMismatch(
                f"content of {self.digest} hashes to {self.digest.algorithm}:{actual}",
                side="remote",
                hint=_MISMATCH_HINT,
            )


_MISMATCH_HINT = "nothing of it was kept; try again, or report it to whoever runs the other side"


def verify(data: Bytes, digest: Digest, size: int | None = None) -> None:
    """Check that `data` is the content of `digest`.

    Raises:
        DigestMismatch: it is not.
        UnverifiableDigest: the algorithm can't be computed.
    """
    verifier = Verifier(digest, size)
    verifier.update(data)
    verifier.finish()


def chunks(source: BinaryIO, size: int = CHUNK) -> Iterator[memoryview]:
    """Yield what is left of `source`; each piece is only valid until the next one is asked for."""
    buffer = memoryview(bytearray(size))
    read_into = getattr(source, "readinto", None)
    if read_into is None:
        while data := source.read(size):
            yield memoryview(data)
        return
    while count := read_into(buffer):
        yield buffer[:count]


class KnownFile(io.FileIO):
    """A file to read; `answers_for` is the digest whose content it is known to hold, if any."""

    answers_for: Digest | None = None


def is_answered_for(source: BinaryIO, digest: Digest) -> bool:
    """Return whether a stream itself sees to it that its bytes are the content of `digest`.

    Such a stream need not be hashed by its reader: it is known to be right, or fails at its end.
    """
    return getattr(source, "answers_for", None) == digest


class VerifyingReader(io.RawIOBase):
    """A stream that gives the bytes of another and fails unless they are the content of a digest.

    Its reader never gets the last bytes of wrong content: the end of the stream is looked for, and
    the hash compared, before the last piece is handed out.

    Raises (from reading): `DigestMismatch`.
    """

    def __init__(self, source: BinaryIO, digest: Digest, size: int) -> None:
        self.answers_for = digest
        self._source = source
        self._verifier = Verifier(digest, size)
        self._left = size
        if size == 0:
            self._end()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Bytes) -> int:  # type: ignore[override]  # io has no name for a writable buffer
        """Fill `buffer` with the next bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")[: self._left]
        if not self._left or not view:
            return 0
        data = self._source.read(len(view))
        self._verifier.update(data)
        self._left -= len(data)
        if not self._left or not data:
            self._end()
        view[: len(data)] = data
        return len(data)

    def _end(self) -> None:
        self._verifier.update(self._source.read(1))
        self._verifier.finish()

    def close(self) -> None:
        """Close the source as well."""
        if not self.closed:
            self._source.close()
        super().close()


def digest_of(source: Iterable[Bytes], algorithm: str = "sha256") -> tuple[Digest, int]:
    """Return the digest and the length in bytes of all that `source` yields."""
    hasher = _hasher(algorithm)
    size = 0
    for data in source:
        hasher.update(data)
        size += len(data)
    return Digest(algorithm, hasher.hexdigest()), size
