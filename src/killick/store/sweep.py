"""Sweeping: files that belong to nothing, after crashes, and what nobody came back for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from killick.store import durable, locks
from killick.store.context import Context
from killick.store.pace import Paced

STALE_AFTER = timedelta(days=7)
"""Age at which partial downloads, uploads, and what is in quarantine are given up."""

DOOMED = "doomed-"
"""How the names of files begin in `temporary/` that were content, and only wait to be removed."""


def sweep(context: Context, stop: Callable[[], bool]) -> bool:
    """Remove what belongs to nothing; return whether that was done to the end."""
    places = context.places
    for directory in (places.blobs / "sha256", places.blobs / "sha512"):
        strays = Paced(_strays(context, directory), stop)
        for batch in strays:
            with locks.exclusive(places.commit_lock):
                for name in batch:
                    if _is_stray(context, directory, name):
                        durable.remove(directory / name)
        if strays.stopped:
            return False
    for directory in (places.partial, places.uploads, places.temporary):
        for name in _names(directory):
            if name.startswith(DOOMED):
                durable.remove(directory / name)
            else:
                _remove_stale(directory / name)
    for name in _names(places.quarantine):
        if _age(places.quarantine / name) > STALE_AFTER.total_seconds():
            durable.remove(places.quarantine / name)
    return True


def _strays(context: Context, directory: Path) -> Iterator[str]:
    return (name for name in _names(directory) if _is_stray(context, directory, name))


def _is_stray(context: Context, directory: Path, name: str) -> bool:
    with context.database.reading() as connection:
        row = connection.execute(
            "SELECT 1 FROM blob WHERE digest = ? AND damaged = 0", (f"{directory.name}:{name}",)
        ).fetchone()
    return row is None


def _names(directory: Path) -> Iterator[str]:
    with durable.translated(directory), os.scandir(directory) as entries:
        for entry in entries:
            yield entry.name


def _age(path: Path) -> float:
    """Return the seconds since a file was last written to, by the file system's own clock."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _remove_stale(path: Path) -> None:
    """Remove a file that nobody has written to for long, and nobody has locked."""
    if _age(path) <= STALE_AFTER.total_seconds():
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if locks.try_exclusive(descriptor):
                durable.remove(path)
        finally:
            os.close(descriptor)
