"""What every engine can do."""

from __future__ import annotations

from typing import Protocol

from killick.observation import Snapshot


class Engine(Protocol):
    """Something that knows of containers. Making one asks nothing of it yet."""

    @property
    def host(self) -> str:
        """What it is called in reports."""
        ...

    @property
    def kind(self) -> str:
        """Its kind as far as its address tells it; a snapshot knows better."""
        ...

    def snapshot(self, seconds: float, /) -> Snapshot:
        """Return what it says now, within about so many seconds.

        Raises:
            KillickError: it can't be asked, or not in time.
        """
        ...
