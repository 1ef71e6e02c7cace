"""What a store that is served needs from time to time: is it well, and what was left behind."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from killick.digest import Digest
from killick.store import durable, locks
from killick.store.blobs import Blobs
from killick.store.check import Check, users
from killick.store.context import Context


@dataclass(frozen=True, slots=True)
class Looked:
    """Content that was hashed: its size, and what is wrong with it (None: nothing).

    `images` are then some of the tags whose images need it.
    """

    digest: Digest
    size: int
    problem: str | None
    images: tuple[str, ...] = ()


def check_health(context: Context) -> None:
    """See that the database answers, and that files can be written (unless read-only).

    Raises:
        StoreError: the store can't do its work.
    """
    with context.database.reading() as connection:
        connection.execute("SELECT 1 FROM repository LIMIT 1").fetchone()
    if context.read_only:
        return
    path = context.places.temporary / f"health-{secrets.token_hex(8)}"
    with durable.translated(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"well")
        finally:
            os.close(descriptor)
            path.unlink()


def scrub(context: Context, blobs: Blobs, after: str) -> Iterator[Looked]:
    """Hash what is stored, in the order of digests, beginning behind `after`.

    What is damaged goes to quarantine. Content that comes meanwhile may be left out.

    Raises:
        StoreError: something can't be read at all.
    """
    check = Check(context, blobs, None)
    for digest, size, problem in check.content(after):
        needed = users(context, digest) if problem is not None else ()
        yield Looked(digest, size, problem, needed)


def count_uploads(context: Context) -> int:
    """Return how many upload sessions are open."""
    with durable.translated(context.places.uploads):
        return len(os.listdir(context.places.uploads))  # noqa: PTH208 - names only, and many


def expire_uploads(context: Context, age: timedelta) -> int:
    """Remove the upload sessions that nobody has written to for `age`; return how many.

    Raises:
        StoreError: the store can't be changed.
    """
    context.database.check_writable()
    with durable.translated(context.places.uploads):
        paths = list(context.places.uploads.iterdir())
    return sum(_remove_if_older(path, age.total_seconds()) for path in paths)


def _remove_if_older(path: Path, seconds: float) -> bool:
    """Remove a file that nobody has written to for so long, and nobody has locked."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            old = time.time() - os.fstat(descriptor).st_mtime > seconds
            if old and locks.try_exclusive(descriptor):
                durable.remove(path)
                return True
        finally:
            os.close(descriptor)
    return False
