"""What refers to a manifest: found by index, in the order of digests, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.store.database import Database

_PAGE = 500

_REFERRERS = """
SELECT member.media_type, document.digest, blob.size, document.artifact_type, document.annotations
FROM document
CROSS JOIN member ON member.digest = document.digest AND member.document = 1
    AND member.repository = (SELECT id FROM repository WHERE name = :repository)
JOIN blob ON blob.digest = document.digest AND damaged = 0
WHERE document.subject = :subject AND {} document.digest > :after
ORDER BY document.digest LIMIT :page
"""

_ATTACHED = """
SELECT repository.name, member.media_type, document.digest, blob.size
FROM document
JOIN member ON member.digest = document.digest AND member.document = 1
JOIN repository ON repository.id = member.repository
JOIN blob ON blob.digest = document.digest AND damaged = 0
WHERE document.artifact_type = ? AND document.subject IS NOT NULL
ORDER BY member.arrived DESC LIMIT ?
"""


class Wanted(NamedTuple):
    """Whose referrers: in which repository, of which digest, and of one type if that is stated."""

    repository: str
    subject: str
    artifact_type: str | None


def referrers(database: Database, wanted: Wanted, after: str) -> Iterator[Descriptor]:
    """Yield what refers to a digest, of those whose own digest comes behind `after`."""
    typed = "document.artifact_type = :artifact_type AND" if wanted.artifact_type else ""
    while True:
        values = {**wanted._asdict(), "after": after, "page": _PAGE}
        with database.reading() as connection:
            rows = connection.execute(_REFERRERS.format(typed), values).fetchall()
        for media_type, found, size, kind, noted in rows:
            yield Descriptor(
                media_type,
                Digest.parse(found),
                size,
                artifact_type=kind,
                annotations=json.loads(noted),
            )
        if len(rows) < _PAGE:
            return
        after = rows[-1][1]


def attached(database: Database, artifact_type: str, most: int) -> Iterator[tuple[str, Descriptor]]:
    """Yield the referrers of a type in all repositories, the last that came first, so many."""
    with database.reading() as connection:
        rows = connection.execute(_ATTACHED, (artifact_type, most)).fetchall()
    for repository, media_type, digest, size in rows:
        yield repository, Descriptor(media_type, Digest.parse(digest), size)
