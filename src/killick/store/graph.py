"""The content graph: what documents say about each other and about blobs, kept as rows.

Rows are made in the transaction that makes a document visible. An edge names its child by digest,
whether that is here or not: the server takes manifests before their layers where it is told to, and
a pull for one platform leaves an index with children that are elsewhere.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from killick import strictjson
from killick.digest import Digest
from killick.errors import ContentError
from killick.manifest import Config, Descriptor, Document, Manifest
from killick.repository import Presence
from killick.store import knowledge

_MOST_CREATED_CHARACTERS = 64

DOWN = """
down(digest) AS (
    SELECT :digest
    UNION SELECT edge.child FROM down JOIN edge ON edge.parent = down.digest
)
"""
"""What a document needs, itself included."""

UP = """
up(digest) AS (
    SELECT :digest
    UNION SELECT edge.parent FROM up
        CROSS JOIN edge ON edge.child = up.digest
        CROSS JOIN member ON member.repository = :repository AND member.digest = edge.parent
    UNION SELECT document.subject FROM up
        CROSS JOIN document ON document.digest = up.digest AND document.subject IS NOT NULL
        CROSS JOIN member ON member.repository = :repository AND member.digest = document.subject
)
"""
"""What in the repository leads to some content: parents, and subjects of referrers."""

_MISSING = """
WITH RECURSIVE need(digest, document, optional) AS (
    SELECT :digest, 1, 0
    UNION SELECT edge.child, edge.document, edge.optional FROM need
        JOIN edge ON edge.parent = need.digest WHERE need.document = 1
)
SELECT 1 FROM need WHERE optional = 0 AND NOT EXISTS (
    SELECT 1 FROM repository JOIN member ON member.repository = repository.id
    JOIN blob ON blob.digest = member.digest
    WHERE repository.name = :name AND member.digest = need.digest
    AND member.document = need.document AND blob.damaged = 0
) LIMIT 1
"""

_PRESENT = """
SELECT 1 FROM repository JOIN member ON member.repository = repository.id
JOIN blob ON blob.digest = member.digest
WHERE repository.name = :name AND member.digest = :digest AND document = 1 AND damaged = 0
"""

_OWN_LOST = """
SELECT 1 FROM document JOIN edge ON edge.parent = document.digest AND edge.optional = 0
WHERE document.digest = :digest AND document.config IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM member WHERE member.repository = :repository AND member.digest = edge.child)
LIMIT 1
"""

IS_LIVE = f"""
WITH RECURSIVE {UP}
SELECT 1 FROM up WHERE
    EXISTS (SELECT 1 FROM tag INDEXED BY tag_digest WHERE tag.digest = up.digest
        AND tag.repository = :repository AND tag.origin = 'local')
    OR EXISTS (SELECT 1 FROM kept WHERE kept.digest = up.digest
        AND kept.repository = :repository)
    OR EXISTS (SELECT 1 FROM move INDEXED BY move_previous
        WHERE move.previous = up.digest AND move.repository = :repository
        AND move.origin = 'local' AND move.time > :oldest AND move.released IS NULL)
LIMIT 1
"""
"""Whether one piece of content is live: what `marking` finds from the roots, asked from below."""

_LOST = """
WITH RECURSIVE here(digest) AS (
    SELECT :digest
    UNION SELECT edge.child FROM here
        JOIN edge ON edge.parent = here.digest
        JOIN member ON member.repository = :repository AND member.digest = edge.child
            AND member.document = 1
)
SELECT edge.child FROM here
JOIN document ON document.digest = here.digest AND document.config IS NOT NULL
JOIN edge ON edge.parent = here.digest AND edge.optional = 0
WHERE NOT EXISTS (SELECT 1 FROM member
    WHERE member.repository = :repository AND member.digest = edge.child)
LIMIT 1
"""


def oldest(retained: int | None) -> int:
    """Return the `:oldest` of queries for a retention that began at `retained` (None: always)."""
    return -(2**63) if retained is None else retained


def is_live(
    connection: sqlite3.Connection, repository: int, digest: str, retained: int | None
) -> bool:
    """Return whether any root of the repository reaches the content."""
    values = {"repository": repository, "digest": digest, "oldest": oldest(retained)}
    return connection.execute(IS_LIVE, values).fetchone() is not None


def lost_part(connection: sqlite3.Connection, repository: int, digest: str) -> str | None:
    """Return the digest of a config or layer that an image lacks in the repository, if any.

    Of an index, the children that are here are looked at; the others may be elsewhere.
    """
    values = {"repository": repository, "digest": digest}
    row = connection.execute(_LOST, values).fetchone()
    return None if row is None else row[0]


def own_lost_part(connection: sqlite3.Connection, repository: int, digest: str) -> bool:
    """Return whether an image lacks a config or a layer; of an index, nothing is asked."""
    values = {"repository": repository, "digest": digest}
    return connection.execute(_OWN_LOST, values).fetchone() is not None


def below(connection: sqlite3.Connection, digest: str) -> list[str]:
    """Return the digests of all that a document needs, and its own."""
    return [
        row[0]
        for row in connection.execute(
            f"WITH RECURSIVE {DOWN} SELECT digest FROM down", {"digest": digest}
        )
    ]


def is_whole(connection: sqlite3.Connection, repository: str, digest: str) -> bool:
    """Return whether a document and all that it needs are in the repository called so."""
    values = {"name": repository, "digest": digest}
    return connection.execute(_MISSING, values).fetchone() is None


def presence(connection: sqlite3.Connection, repository: str, digest: str) -> Presence:
    """Return what is left of a document in the repository called so."""
    values = {"name": repository, "digest": digest}
    if connection.execute(_PRESENT, values).fetchone() is None:
        return "removed"
    return "present" if is_whole(connection, repository, digest) else "incomplete"


def record(connection: sqlite3.Connection, digest: Digest, document: Document) -> None:
    """Make the rows of a document, unless they are there."""
    knowledge.record(connection, digest, document)
    done = connection.execute("SELECT 1 FROM document WHERE digest = ?", (str(digest),)).fetchone()
    if done:
        return
    subject = document.subject
    is_image = isinstance(document, Manifest) and document.is_image
    connection.execute(
        "INSERT INTO document (digest, media_type, artifact_type, subject, annotations, config,"
        " image, total) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(digest),
            document.media_type,
            document.as_referrer().artifact_type,
            str(subject.digest) if subject else None,
            strictjson.compact(dict(document.annotations)).decode() if subject else None,
            str(document.config.digest) if isinstance(document, Manifest) else None,
            int(is_image),
            _total(document),
        ),
    )
    connection.executemany(
        "INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _edges(digest, document)
    )


def _total(document: Document) -> int | None:
    if not isinstance(document, Manifest):
        return None
    return sum({d.digest: d.size for d in document.children()}.values())


def _edges(parent: Digest, document: Document) -> Iterator[tuple[object, ...]]:
    for position, child in enumerate(document.children()):
        yield (
            str(parent),
            position,
            str(child.digest),
            _kind(document, child, position),
            int(not isinstance(document, Manifest) and child.is_document),
            int(child.is_foreign),
            child.media_type,
            child.size,
            json.dumps(child.platform.to_json()) if child.platform else None,
        )


def _kind(document: Document, child: Descriptor, position: int) -> str:
    if isinstance(document, Manifest):
        return "layer" if position else "config"
    if child.is_index:
        return "index"
    return "manifest" if child.is_document else "blob"


def lacks_summary(connection: sqlite3.Connection, digest: str) -> bool:
    """Return whether a blob is the config of an image of which too little is known yet."""
    row = connection.execute(
        "SELECT 1 FROM document WHERE config = ? AND image = 1 AND platform IS NULL LIMIT 1",
        (digest,),
    ).fetchone()
    return row is not None


def summarise(connection: sqlite3.Connection, digest: str, config: bytes) -> None:
    """Note what the config with this digest tells about the images that have it.

    A config that is none leaves them without: the store takes any bytes.
    """
    try:
        parsed = Config.parse(config)
    except ContentError:
        return
    created = parsed.created
    knowledge.record_config(connection, digest, parsed)
    connection.execute(
        "UPDATE document SET platform = ?, created = ? WHERE config = ? AND image = 1",
        (
            json.dumps(parsed.platform.to_json()),
            created if created and len(created) <= _MOST_CREATED_CHARACTERS else None,
            digest,
        ),
    )


def tidy(connection: sqlite3.Connection, digest: str, now: int) -> None:
    """Note what follows when a repository has lost some content: nobody may have it now."""
    owners = {
        row[0]
        for row in connection.execute("SELECT document FROM member WHERE digest = ?", (digest,))
    }
    if 1 not in owners:
        connection.execute("DELETE FROM document WHERE digest = ?", (digest,))
    if not owners:
        connection.execute("UPDATE blob SET orphaned = ? WHERE digest = ?", (now, digest))
