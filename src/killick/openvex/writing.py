"""Making a document about images that are named by their digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from killick import strictjson
from killick.digest import Digest
from killick.moments import rfc3339
from killick.names import Name
from killick.openvex.document import CONTEXT, HASHES, Justification, Status, Vex
from killick.openvex.reading import parse


def purl(name: Name, digest: Digest) -> str:
    """Return the package URL of an image: `pkg:oci/golftrack@sha256%3A…?repository_url=…`."""
    last = name.path.rpartition("/")[2]
    return (
        f"pkg:oci/{last}@{quote(str(digest), safe='')}?repository_url={quote(str(name), safe='')}"
    )


@dataclass(frozen=True, slots=True)
class Say:
    """One thing to say: the status of the image `digest` (in repository `name`), and a note."""

    name: Name
    digest: Digest
    status: Status
    note: str | None = None
    justification: Justification | None = None


def compose(vulnerability: str, said: Sequence[Say], author: str, time: datetime) -> Vex:
    """Return a new document about one vulnerability; its identifier is made from its content."""
    statements = [_to_json(vulnerability, say) for say in said]
    seed = strictjson.compact([vulnerability, statements, author, rfc3339(time)])
    document = {
        "@context": CONTEXT,
        "@id": f"https://openvex.dev/docs/public/killick-{Digest.of(seed).encoded}",
        "author": author,
        "timestamp": rfc3339(time),
        "version": 1,
        "tooling": "killick",
        "statements": statements,
    }
    return parse(strictjson.compact(document))


def _to_json(vulnerability: str, say: Say) -> dict[str, Any]:
    url = purl(say.name, say.digest)
    key = next((k for k, algorithm in HASHES.items() if algorithm == say.digest.algorithm), None)
    product: dict[str, Any] = {"@id": url, "identifiers": {"purl": url}}
    statement: dict[str, Any] = {
        "vulnerability": {"name": vulnerability},
        "products": [product | ({"hashes": {key: say.digest.encoded}} if key else {})],
        "status": say.status,
    }
    if say.status == "affected":
        statement["action_statement"] = say.note or "No remedy is named yet."
    elif say.status == "not_affected":
        if say.note:
            statement["impact_statement"] = say.note
        if say.justification:
            statement["justification"] = say.justification
    elif say.note:
        statement["status_notes"] = say.note
    return statement
