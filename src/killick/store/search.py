"""From a digest, or the beginning of one, to what it is and where it belongs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from killick.digest import Digest
from killick.manifest import INDEX_TYPES, Descriptor
from killick.repository import BLOB_TYPE
from killick.store.context import Context

ContentKind = Literal["index", "manifest", "config", "layer", "blob"]

LEAST_DIGITS = 6
_MOST_FOUND = 100
_PREFIX = re.compile(r"(?:(sha256|sha512):)?([0-9a-f]{6,128})")

_ROOTS = """
WITH RECURSIVE up(digest) AS (
    SELECT :digest
    UNION SELECT edge.parent FROM up JOIN edge ON edge.child = up.digest
)
SELECT document.media_type, document.digest, blob.size FROM up
JOIN document ON document.digest = up.digest JOIN blob ON blob.digest = up.digest
WHERE NOT EXISTS (SELECT 1 FROM edge WHERE edge.child = up.digest) AND damaged = 0
ORDER BY document.digest
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Content that the store has: what it is, and which repositories have it."""

    descriptor: Descriptor
    kind: ContentKind
    repositories: tuple[str, ...]


def lookup(context: Context, prefix: str) -> list[Known]:
    """Return the content whose digest begins with `prefix` (with or without its algorithm).

    Fewer than six digits find nothing; at most a hundred are returned.
    """
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        return []
    algorithm, digits = match.groups()
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT digest, size FROM blob WHERE encoded >= ? AND encoded < ? AND damaged = 0"
            " AND digest LIKE ? ORDER BY encoded LIMIT ?",
            (digits, digits + "g", f"{algorithm or ''}%", _MOST_FOUND),
        ).fetchall()
        found = [_known(connection, Digest.parse(digest), size) for digest, size in rows]
    return [known for known in found if known.repositories]


def _known(connection: sqlite3.Connection, digest: Digest, size: int) -> Known:
    rows = connection.execute(
        "SELECT DISTINCT repository.name FROM member JOIN repository ON repository.id = repository"
        " WHERE digest = ? ORDER BY repository.name",
        (str(digest),),
    )
    repositories = tuple(row[0] for row in rows)
    document = connection.execute(
        "SELECT media_type FROM document WHERE digest = ?", (str(digest),)
    ).fetchone()
    if document is not None:
        kind: ContentKind = "index" if document[0] in INDEX_TYPES else "manifest"
        return Known(Descriptor(document[0], digest, size), kind, repositories)
    edge = connection.execute(
        "SELECT kind, media_type FROM edge WHERE child = ? ORDER BY kind LIMIT 1", (str(digest),)
    ).fetchone()
    kind, media_type = edge or ("blob", BLOB_TYPE)
    return Known(Descriptor(media_type, digest, size), kind, repositories)


def images_with(context: Context, digest: Digest) -> list[Descriptor]:
    """Return the images (the topmost manifests or indexes) that some content belongs to."""
    with context.database.reading() as connection:
        rows = connection.execute(_ROOTS, {"digest": str(digest)}).fetchall()
    return [Descriptor(media_type, Digest.parse(found), size) for media_type, found, size in rows]


def holders(context: Context, digest: Digest) -> Iterator[str]:
    """Yield the names of the repositories that have a blob, in the order of its arrival."""
    last = 0
    while True:
        with context.database.reading() as connection:
            rows = connection.execute(
                "SELECT member.id, repository.name FROM member"
                " JOIN repository ON repository.id = member.repository"
                " JOIN blob ON blob.digest = member.digest AND damaged = 0"
                " WHERE member.digest = ? AND document = 0 AND member.id > ?"
                " ORDER BY member.id LIMIT ?",
                (str(digest), last, _MOST_FOUND),
            ).fetchall()
        yield from (name for _, name in rows)
        if len(rows) < _MOST_FOUND:
            return
        last = rows[-1][0]


def sisters(context: Context, d: Descriptor, domain: str) -> list[str]:
    """Return the repositories of the registry `domain`, named without it, that have a blob."""
    start = f"{domain}/"
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT name FROM repository JOIN member ON member.repository = repository.id"
            " WHERE digest = ? AND document = 0 AND name >= ? AND name < ? ORDER BY name",
            (str(d.digest), start, f"{domain}0"),  # "0" follows "/"
        ).fetchall()
    return [row[0][len(start) :] for row in rows]
