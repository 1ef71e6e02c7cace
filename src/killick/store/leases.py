"""Leases: every positive answer is a promise that the content stays for a while.

Content that no root reaches carries a stamp, `member.unreachable`: when it was found to have lost
its last root, or was last promised to somebody. Fresh content is stamped from the start. Garbage
collection takes only what has a stamp older than the lease, and looks at the stamp in the
transaction that removes; so renewing the stamp is all that a promise takes, and for content that
has roots a promise writes nothing.

A transfer may take longer than a lease. What this process promised or took in is therefore renewed
while any of its transfers is under way (`keep_alive`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from fcntl import LOCK_SH, flock

from killick.errors import StoreError
from killick.store import durable
from killick.store.context import Context
from killick.store.graph import DOWN

SLACK = 4
"""A stamp is renewed when it is older than 1/SLACK of the lease; collecting waits as much more."""

_MOST_TOUCHED = 20_000


class Leases:
    """The promises that this open store has made."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mutex = threading.Lock()
        self._touched: dict[tuple[int, str], None] = {}
        self._renewed = time.monotonic()
        self._use: int | None = None

    @property
    def in_use(self) -> bool:
        """Whether this open store has promised anything."""
        return self._use is not None

    def use(self) -> None:
        """Note, for all processes to see, that this store is used for transfers, until `close`."""
        if self._use is not None:
            return
        with self._mutex:
            if self._use is not None:
                return
            flags = os.O_RDONLY if self._context.read_only else os.O_RDWR | os.O_CREAT
            try:
                descriptor = durable.open_file(self._context.places.use_lock, flags)
            except StoreError:
                if self._context.read_only:  # a store that never took anything in
                    return
                raise
            flock(descriptor, LOCK_SH)
            self._use = descriptor

    def touch(self, repository: int, digest: str) -> None:
        """Remember content that was promised or taken in."""
        with self._mutex:
            self._touched[repository, digest] = None
            if len(self._touched) > _MOST_TOUCHED:
                del self._touched[next(iter(self._touched))]

    def promise(self, repository: int, digest: str, unreachable: int | None) -> bool:
        """Promise content that was found with the stamp `unreachable`.

        The promise for a manifest covers all below it. If it took a new stamp, True is returned,
        and the caller has to look again whether the content is still there.
        """
        self.touch(repository, digest)
        if unreachable is None or self._context.read_only:
            return False
        if 0 <= self._context.now() - unreachable < self._context.lease_span // SLACK:
            return False
        with self._context.database.writing() as connection:
            connection.execute(
                f"WITH RECURSIVE {DOWN} UPDATE member SET unreachable = :now, purged = 0"
                " WHERE repository = :repository AND unreachable IS NOT NULL"
                " AND digest IN (SELECT digest FROM down)",
                {"now": self._context.now(), "repository": repository, "digest": digest},
            )
        return True

    def keep_alive(self) -> None:
        """Renew, when it is time, what this store promised; called while a transfer goes on."""
        if time.monotonic() - self._renewed < self._context.lease.total_seconds() / SLACK:
            return
        with self._mutex:
            self._renewed = time.monotonic()
            touched = list(self._touched)
        with self._context.database.writing() as connection:
            renew(connection, touched, self._context.now())

    def close(self) -> None:
        """Give up the note that the store is used."""
        with self._mutex:
            if self._use is not None:
                os.close(self._use)
                self._use = None


def renew(connection: sqlite3.Connection, keys: list[tuple[int, str]], now: int) -> None:
    """Renew the stamps of content that has one; other content is left as it is."""
    connection.executemany(
        "UPDATE member SET unreachable = ?, purged = 0"
        " WHERE repository = ? AND digest = ? AND unreachable IS NOT NULL",
        [(now, repository, digest) for repository, digest in keys],
    )


def old_enough(context: Context) -> int:
    """Return the moment before which a stamp is older than the lease, slack included."""
    return context.now() - context.lease_span - context.lease_span // SLACK
