"""The heads of registries' ledgers that were seen from here: later ones must go on from them."""

from __future__ import annotations

from dataclasses import dataclass

from killick.digest import Digest
from killick.names import Tag
from killick.repository import Head
from killick.store.context import Context


@dataclass(frozen=True, slots=True)
class Seen:
    """A ledger ended with `head` when `tag` pointed to `digest` (both None: nobody asked)."""

    head: Head
    tag: Tag | None = None
    digest: Digest | None = None


def seen(context: Context, repository: str) -> tuple[Seen, ...]:
    """Return what was seen last of a repository, at most once for each tag, oldest head first."""
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT sequence, hash, tag, digest FROM seen_head WHERE repository = ?"
            " ORDER BY sequence",
            (repository,),
        ).fetchall()
    return tuple(
        Seen(
            Head(sequence, text),
            Tag(tag) if tag else None,
            Digest.parse(digest) if digest else None,
        )
        for sequence, text, tag, digest in rows
    )


def keep(context: Context, repository: str, found: Seen) -> None:
    """Keep what was seen, unless somebody has seen the ledger go on from there."""
    digest = str(found.digest) if found.digest else None
    with context.database.writing() as connection:
        connection.execute(
            "INSERT INTO seen_head VALUES (?, ?, ?, ?, ?) ON CONFLICT (repository, tag) DO UPDATE"
            " SET sequence = excluded.sequence, hash = excluded.hash, digest = excluded.digest"
            " WHERE excluded.sequence >= sequence",
            (repository, found.tag or "", found.head.sequence, found.head.hash, digest),
        )


def forget(context: Context, repository: str) -> None:
    """Forget what was seen of a repository."""
    with context.database.writing() as connection:
        connection.execute("DELETE FROM seen_head WHERE repository = ?", (repository,))
