"""What an engine's words about a container come to: digests, a reference, repositories to ask.

Engines decorate digests (`docker-pullable://golftrack@sha256:…`, `docker://sha256:…`, bare hex);
here that is taken off, and nothing else is concluded. Which kind of thing a digest names is found
out by looking it up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from killick.digest import Digest
from killick.errors import BadDigest, BadReference
from killick.names import Name, Reference
from killick.observation import Claim, Container

_TRANSPORT = re.compile(r"[a-z][a-z0-9+.-]*://")
_HEX = re.compile(r"[0-9a-f]{64}")
_SOME_HEX = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A digest that an engine told in `field`; `name` is the repository that stood with it.

    `wished` says that it only repeats the words that the container was started with: what was asked
    for, which need not be what runs.
    """

    field: str
    digest: Digest
    name: Name | None = None
    wished: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """What a container's engine says of its image.

    `asked` is the reference that it was started with; None where it was started by an ID, or with
    words that are no reference. `places` are the repositories that any words name.
    """

    claims: tuple[Claimed, ...]
    asked: Reference | None
    places: tuple[Name, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.claims, self.asked, self.places)))

    def __hash__(self) -> int:
        return self._hash  # they are looked up much more often than made

    @property
    def digests(self) -> frozenset[Digest]:
        """All digests that are claimed."""
        return frozenset(claim.digest for claim in self.claims)


def read(container: Container) -> Words:
    """Return what the engine's words about a container come to."""
    return _read(container.image, container.claims, container.names)


@lru_cache(maxsize=16_384)
def _read(image: str, told: tuple[Claim, ...], names: tuple[str, ...]) -> Words:
    claims = tuple(
        Claimed(claim.field, *found, claim.value == image)
        for claim in told
        if (found := _split(claim.value)) is not None
    )
    asked = _asked(image, claims)
    named = [asked.name] if asked else []
    named += [claim.name for claim in claims if claim.name is not None]
    named += [known.name for text in names if (known := _reference(text)) is not None]
    return Words(claims, asked, tuple(dict.fromkeys(named)))


def _asked(text: str, claims: tuple[Claimed, ...]) -> Reference | None:
    """Return what a container was started with, None where that was an ID.

    Hexadecimal digits are a legal name: they are an ID if a digest that is claimed begins so.
    """
    bare = _bare(text)
    digits = bare.removeprefix("sha256:")
    if _SOME_HEX.fullmatch(digits) and (
        digits != bare or any(claim.digest.encoded.startswith(digits) for claim in claims)
    ):
        return None
    return _reference(bare)


@lru_cache(maxsize=8192)
def _split(value: str) -> tuple[Digest, Name | None] | None:
    """Return the digest in a value, and the repository that stands with it; None without digest."""
    text = _bare(value)
    if _HEX.fullmatch(text):
        return Digest("sha256", text), None
    name, at, digits = text.rpartition("@")
    try:
        digest = Digest.parse(digits)
    except BadDigest:
        return None
    if not digest.verifiable:  # `debian:12` has the form of a digest, too
        return None
    reference = _reference(name) if at else None  # a name that is none (`<none>`) spoils no digest
    return digest, reference.name if reference else None


@lru_cache(maxsize=8192)
def _reference(text: str) -> Reference | None:
    try:
        found = Reference.parse(_bare(text))
    except BadReference:
        return None
    return None if found.travels else found


def _bare(text: str) -> str:
    return _TRANSPORT.sub("", text.strip(), count=1)
