"""Reading a document strictly, as the specification's JSON schema has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from killick import strictjson
from killick.digest import Digest
from killick.errors import BadDigest, ContentError, LimitExceeded
from killick.openvex.document import (
    HASHES,
    JUSTIFICATIONS,
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_ID_CHARACTERS,
    MOST_PRODUCTS,
    MOST_STATEMENTS,
    STATUSES,
    Statement,
    Vex,
)

_DOCUMENT_FIELDS = {"@context", "@id", "author", "role", "timestamp", "last_updated"} | {
    "version",
    "tooling",
    "statements",
}
_STATEMENT_FIELDS = {"@id", "version", "vulnerability", "timestamp", "last_updated", "products"} | {
    "status",
    "supplier",
    "status_notes",
    "justification",
    "impact_statement",
    "action_statement",
    "action_statement_timestamp",
}
_VULNERABILITY_FIELDS = {"@id", "name", "description", "aliases"}
_PRODUCT_FIELDS = {"@id", "identifiers", "hashes", "subcomponents"}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|z|[+-]\d\d:\d\d)", re.ASCII
)
_PURL = re.compile(r"pkg:oci/[^@?#]+@([^?#]+)(?:\?([^#]*))?(?:#.*)?")


def parse(raw: bytes, subject: Digest | None = None) -> Vex:
    """Return the document whose bytes are `raw`.

    `subject` is the image that it is attached to, if any: what statements without products are
    about.

    Raises:
        LimitExceeded: it is larger than 4 MiB, or a list or a text in it is longer than allowed.
        ContentError: it is no OpenVEX document.
    """
    if len(raw) > MOST_BYTES:
        raise LimitExceeded(
            f"an OpenVEX document has {len(raw)} bytes, and {MOST_BYTES} are allowed", side="file"
        )
    try:
        fields = _mapping(strictjson.loads(raw, "the OpenVEX document"), "the document")
    except ContentError as error:
        raise error.at("file") from None
    _only(fields, _DOCUMENT_FIELDS, "the document")
    if not _text(fields, "@context", "the document").startswith("https://openvex.dev/ns"):
        raise _bad("its @context is not OpenVEX's")
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 2**53:
        raise _bad("its version is no number from 1 on")
    listed = _list(fields, "statements", "the document", MOST_STATEMENTS)
    if not listed:
        raise _bad("it has no statements")
    time = _time(fields, "timestamp", "the document", None)
    statements = tuple(
        _statement(value, f"statement {number}", time, subject)
        for number, value in enumerate(listed, 1)
    )
    if sum(len(statement.products) for statement in statements) > MOST_PRODUCTS:
        raise LimitExceeded(f"a document names more than {MOST_PRODUCTS} products", side="file")
    return Vex(
        raw,
        _text(fields, "@id", "the document"),
        _text(fields, "author", "the document"),
        time,
        version,
        statements,
        subject,
    )


def _statement(value: object, where: str, inherited: datetime, subject: Digest | None) -> Statement:
    fields = _mapping(value, where)
    _only(fields, _STATEMENT_FIELDS, where)
    vulnerability = _mapping(fields.get("vulnerability"), f"{where}'s vulnerability")
    _only(vulnerability, _VULNERABILITY_FIELDS, f"{where}'s vulnerability")
    aliases = _texts(vulnerability, "aliases", f"{where}'s vulnerability")
    status, justification = fields.get("status"), fields.get("justification")
    if status not in STATUSES:
        raise _bad(f"{where} has no status that OpenVEX knows")
    if justification is not None and justification not in JUSTIFICATIONS:
        raise _bad(f"{where} has a justification that OpenVEX does not know")
    notes = {
        key: _text(fields, key, where)
        for key in ("action_statement", "impact_statement", "status_notes")
        if fields.get(key) is not None
    }
    if status == "affected" and "action_statement" not in notes:
        raise _bad(f"{where} says affected, and not what to do (action_statement)")
    if status == "not_affected" and justification is None and "impact_statement" not in notes:
        raise _bad(f"{where} says not_affected, and not why (justification)")
    return Statement(
        _text(vulnerability, "name", f"{where}'s vulnerability", MOST_ID_CHARACTERS),
        status,
        _products(fields, where, subject),
        _time(fields, "timestamp", where, inherited),
        aliases,
        next(iter(notes.values()), None),
        justification,
    )


def _products(fields: Mapping[str, Any], where: str, subject: Digest | None) -> tuple[Digest, ...]:
    if fields.get("products") is None:
        return (subject,) if subject is not None else ()
    listed = _list(fields, "products", where, MOST_PRODUCTS)
    found = (_product(value, f"{where}, product {n}") for n, value in enumerate(listed, 1))
    return tuple(dict.fromkeys(digest for digest in found if digest is not None))


def _product(value: object, where: str) -> Digest | None:
    """Return the digest of an image that a product is named by, None where there is none.

    Raises:
        ContentError: two different ones name it.
    """
    fields = _mapping(value, where)
    _only(fields, _PRODUCT_FIELDS, where)
    identifiers = _optional(fields, "identifiers", where)
    hashes = _optional(fields, "hashes", where)
    purls = [text for text in (fields.get("@id"), identifiers.get("purl")) if text is not None]
    if not all(isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in purls):
        raise _bad(f"{where} has an identifier that is no text")
    found = {digest for text in purls if (digest := _digest_in(text)) is not None}
    if not found:
        # A hash alone may be that of any file; beside another kind of package it is not an image's.
        if any(text.startswith("pkg:") for text in purls):
            return None
        found = {
            _digest(f"{algorithm}:{hashes[key]}", where)
            for key, algorithm in HASHES.items()
            if key in hashes
        }
        return min(found) if found else None
    if len({d for d in found if d.algorithm == "sha256"}) > 1 or len(found) > 1:
        raise _bad(f"{where} is named by two digests")
    digest = found.pop()
    stated = next(
        (hashes[k] for k, a in HASHES.items() if a == digest.algorithm and k in hashes), None
    )
    if stated is not None and stated != digest.encoded:
        raise _bad(f"{where} is named by two digests")
    return digest


def _digest_in(purl: str) -> Digest | None:
    """Return the digest in a package URL of type `oci`; None in any other text."""
    match = _PURL.fullmatch(purl)
    if match is None:
        return None
    try:
        return Digest.parse(unquote(match[1]))
    except BadDigest:
        return None


def _bad(what: str) -> ContentError:
    return ContentError(f"it is no OpenVEX document: {what}", side="file")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{where} is not a JSON object")
    return value


def _optional(fields: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = fields.get(key)
    return {} if value is None else _mapping(value, f"{where}'s {key}")


def _only(fields: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse what the specification does not have: nobody can say what it would change."""
    unknown = min(fields.keys() - known, default=None)
    if unknown is not None:
        raise _bad(f"{where} has a field that OpenVEX 0.2.0 does not know, {unknown[:100]!r}")


def _text(fields: Mapping[str, Any], key: str, where: str, most: int = MOST_CHARACTERS) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _bad(f"{where} has no {key}")
    if len(value) > most:
        raise LimitExceeded(f"{where}'s {key} has more than {most} characters", side="file")
    return value


def _list(fields: Mapping[str, Any], key: str, where: str, most: int) -> list[Any]:
    value = fields.get(key)
    if not isinstance(value, list):
        raise _bad(f"{where} has no list of {key}")
    if len(value) > most:
        raise LimitExceeded(f"{where} has more than {most} {key}", side="file")
    return value


def _texts(fields: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    if fields.get(key) is None:
        return ()
    listed = _list(fields, key, where, MOST_ID_CHARACTERS)
    if not all(isinstance(t, str) and 0 < len(t) <= MOST_ID_CHARACTERS for t in listed):
        raise _bad(f"{where} has {key} that are no texts")
    return tuple(dict.fromkeys(listed))


def _time(fields: Mapping[str, Any], key: str, where: str, inherited: datetime | None) -> datetime:
    value = fields.get(key)
    if value is None and inherited is not None:
        return inherited
    match = _TIME.fullmatch(value) if isinstance(value, str) and len(value) < 100 else None
    if match is None:
        raise _bad(f"{where} has no {key} as RFC 3339 has it")
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{fraction or ''}{zone.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad(f"{where} has no {key} as RFC 3339 has it") from None


def _digest(text: str, where: str) -> Digest:
    try:
        return Digest.parse(text)
    except BadDigest:
        raise _bad(f"{where} has a hash that is none") from None
