"""What is said about vulnerabilities in images: OpenVEX documents, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator

from killick import openvex
from killick.digest import Digest
from killick.knowledge import Advisory
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
    """Keep a document; False where as new a one of that identifier and source is kept already."""
    vex = advisory.vex
    subject = str(vex.subject) if vex.subject else None
    row = (vex.identifier, advisory.source, vex.version, vex.raw, subject)
    with context.database.writing() as connection:
        known = connection.execute(
            "SELECT version FROM advisory WHERE identifier = ? AND source = ?", row[:2]
        ).fetchone()
        if known is not None and known[0] >= vex.version:
            return False
        connection.execute("DELETE FROM advisory WHERE identifier = ? AND source = ?", row[:2])
        connection.execute(
            "INSERT INTO advisory (identifier, source, version, content, subject)"
            " VALUES (?, ?, ?, ?, ?)",
            row,
        )
    return True


def forget(context: Context, advisory: Advisory) -> bool:
    """Forget the document of that identifier from that source; False where there is none."""
    key = (advisory.vex.identifier, advisory.source)
    with context.database.writing() as connection:
        gone = connection.execute("DELETE FROM advisory WHERE identifier = ? AND source = ?", key)
    return gone.rowcount > 0
