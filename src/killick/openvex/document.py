"""What an OpenVEX document says, as values; and the limits of what is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from killick.digest import Digest

MEDIA_TYPE = "application/vnd.openvex+json"
CONTEXT = "https://openvex.dev/ns/v0.2.0"
MOST_BYTES = 4 * 1024 * 1024
MOST_STATEMENTS = 10_000
MOST_PRODUCTS = 10_000
"""Of all statements of a document together."""
MOST_CHARACTERS = 16 * 1024
"""Of any one text."""
MOST_ID_CHARACTERS = 256
"""Of the names of a vulnerability."""

Status = Literal["affected", "fixed", "not_affected", "under_investigation"]
STATUSES: tuple[Status, ...] = get_args(Status)
Justification = Literal[
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
]
JUSTIFICATIONS: tuple[Justification, ...] = get_args(Justification)

HASHES = {"sha-256": "sha256", "sha-512": "sha512"}
"""From OpenVEX's name of a hash to the algorithm of a digest."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of some images: `vulnerability` and its other names, and how they stand to it.

    `time` is since when it is said. `note` is what people should read: the action to take, why
    there is no impact, or other notes.
    """

    vulnerability: str
    status: Status
    products: tuple[Digest, ...]
    time: datetime
    aliases: tuple[str, ...] = ()
    note: str | None = None
    justification: Justification | None = None

    @property
    def names(self) -> frozenset[str]:
        """All names of the vulnerability."""
        return frozenset((self.vulnerability, *self.aliases))


@dataclass(frozen=True, slots=True)
class Vex:
    """A document: its bytes, and what they say. `identifier` is its IRI.

    A document with the same identifier and a higher `version` replaces it. `subject` is the image
    that it came attached to.
    """

    raw: bytes
    identifier: str
    author: str
    time: datetime
    version: int
    statements: tuple[Statement, ...]
    subject: Digest | None = None

    @property
    def products(self) -> frozenset[Digest]:
        """The digests that any statement is about."""
        return frozenset(d for statement in self.statements for d in statement.products)
