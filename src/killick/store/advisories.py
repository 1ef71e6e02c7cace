"""What is said about vulnerabilities in images: OpenVEX documents, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator

from killick import openvex
from killick.digest import Digest
from killick.repository import Advisory
from killick.store.context import Context


def documents(context: Context) -> Iterator[Advisory]:
    """Yield the documents that are kept, oldest first."""
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT content, subject, source FROM advisory ORDER BY id"
        ).fetchall()
    for content, subject, source in rows:
        parsed = openvex.parse(content, Digest.parse(subject) if subject else None)
        yield Advisory(parsed, source)


def keep(context: Context, advisory: Advisory) -> bool:
    """Keep a document; False where one of that identifier, as new or newer, is kept already."""
    vex = advisory.vex
    with context.database.writing() as connection:
        row = connection.execute(
            "SELECT version FROM advisory WHERE identifier = ?", (vex.identifier,)
        ).fetchone()
        if row is not None and row[0] >= vex.version:
            return False
        connection.execute("DELETE FROM advisory WHERE identifier = ?", (vex.identifier,))
        connection.execute(
            "INSERT INTO advisory (identifier, version, content, subject, source)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                vex.identifier,
                vex.version,
                vex.raw,
                str(vex.subject) if vex.subject else None,
                advisory.source,
            ),
        )
    return True


def forget(context: Context, identifier: str) -> bool:
    """Forget the document called so; False where there is none."""
    with context.database.writing() as connection:
        gone = connection.execute("DELETE FROM advisory WHERE identifier = ?", (identifier,))
    return gone.rowcount > 0
