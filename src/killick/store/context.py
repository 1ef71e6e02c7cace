"""What the rooms of one open store share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from killick.rules import EASY, Policy
from killick.store.database import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_stamp(moment: datetime) -> int:
    """Return a moment as the database keeps it: microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    """Return the moment that the database keeps as `stamp`."""
    return _EPOCH + stamp * _MICROSECOND


@dataclass(frozen=True)
class Places:
    """Where everything of the store in folder `root` lies."""

    root: Path

    @property
    def blobs(self) -> Path:
        """Verified content, in the form of an OCI layout: `<algorithm>/<hex>`."""
        return self.root / "blobs"

    @property
    def partial(self) -> Path:
        """Content on its way in, `<algorithm>-<hex>`, to be gone on with."""
        return self.root / "partial"

    @property
    def uploads(self) -> Path:
        """Upload sessions."""
        return self.root / "uploads"

    @property
    def temporary(self) -> Path:
        """Content on its way in that can't be gone on with."""
        return self.root / "temporary"

    @property
    def quarantine(self) -> Path:
        """Damaged content, out of the way."""
        return self.root / "quarantine"

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.root / "store.db"

    @property
    def reserve(self) -> Path:
        """Disk space that is let go of to remove garbage when no other is left."""
        return self.root / "reserve"

    @property
    def commit_lock(self) -> Path:
        """Shared by whoever makes content visible; alone by whoever removes content."""
        return self.root / "gc.lock"

    @property
    def use_lock(self) -> Path:
        """Shared by every store that has promised content to somebody."""
        return self.root / "use.lock"

    @property
    def directories(self) -> tuple[Path, ...]:
        """All directories, parents first."""
        return (
            self.root,
            self.blobs,
            self.blobs / "sha256",
            self.blobs / "sha512",
            self.partial,
            self.uploads,
            self.temporary,
            self.quarantine,
        )


@dataclass(frozen=True)
class Context:
    """The database, the folders and the settings of one open store."""

    places: Places
    database: Database
    clock: Callable[[], datetime]
    actor: str
    lease: timedelta
    retention: timedelta | None
    policy: Policy = EASY

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written."""
        return self.database.read_only

    def now(self) -> int:
        """Return the present moment, as the database keeps it."""
        return to_stamp(self.clock())

    @property
    def lease_span(self) -> int:
        """The lease time in microseconds."""
        return self.lease // _MICROSECOND

    @property
    def oldest_retained(self) -> int | None:
        """The moment since which whatever a tag stopped pointing to is kept; None: always."""
        if self.retention is None:
            return None
        return self.now() - self.retention // _MICROSECOND
