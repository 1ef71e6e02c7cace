"""Scrubbing: stored content is hashed again, so that rot is found before anybody asks for it.

That is done a slice at a time. How far it has come is kept, so that it goes on after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from killick.digest import Digest
from killick.store.blobs import Blobs, Held, Shape
from killick.store.check import COLUMNS, DAMAGED, Finding, about, look_at
from killick.store.context import Context
from killick.store.pace import never

CHORE: Final = "scrub"
NOTED_EVERY = 5.0
"""Seconds between two notes of how far it has come: what is done twice after a crash."""

_PAGE = 50


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a slice found, and how much it hashed; `finished`: the round came to its end."""

    findings: tuple[Finding, ...]
    count: int
    size: int
    finished: bool


def scrub(
    context: Context,
    blobs: Blobs,
    budget: timedelta | None = None,
    stop: Callable[[], bool] = never,
) -> Scrubbed:
    """Hash content from where the last slice left off, until `budget` is over (None: to the end).

    Raises:
        StoreError: the store can't be read or written.
    """
    context.database.check_writable()
    end = None if budget is None else time.monotonic() + budget.total_seconds()
    findings: list[Finding] = []
    count = size = 0
    position, noted = _position(context), time.monotonic()
    while rows := _page(context, position):
        for digest, damaged, *shape, verified in rows:
            if stop() or (count and end is not None and time.monotonic() >= end):
                _note(context, position)
                return Scrubbed(tuple(findings), count, size, finished=False)
            held = Held(Digest.parse(digest), Shape(*shape), verified)
            problem = DAMAGED if damaged else look_at(blobs, held)
            if problem is not None:
                findings.append(about(context, held.digest, problem))
            count, size, position = count + 1, size + held.size, digest
        if time.monotonic() - noted > NOTED_EVERY:
            _note(context, position)
            noted = time.monotonic()
    _note(context, "")
    return Scrubbed(tuple(findings), count, size, finished=True)


def _page(context: Context, position: str) -> list[tuple[str, int, int, int, int, int, int]]:
    with context.database.reading() as connection:
        return connection.execute(
            f"SELECT {COLUMNS} FROM blob WHERE digest > ? ORDER BY digest LIMIT ?",
            (position, _PAGE),
        ).fetchall()


def _position(context: Context) -> str:
    with context.database.reading() as connection:
        row = connection.execute(
            "SELECT position FROM progress WHERE chore = ?", (CHORE,)
        ).fetchone()
    return "" if row is None else str(row[0])


def _note(context: Context, position: str) -> None:
    with context.database.writing() as connection:
        connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (CHORE, position))
