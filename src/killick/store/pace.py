"""How chores take turns with everybody else: a little work under the locks, then a rest.

Whoever waits for SQLite's lock looks for it again after at most 25 ms (for as long as it has waited
less than a tenth of a second); so a rest that is longer than that lets all in who wait.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

WORK = 0.005
"""Seconds that a batch takes, but for its commit."""

REST = 0.03
MOST_IN_BATCH = 1000

_Item = TypeVar("_Item")


def never() -> bool:
    """Say that there is no need to stop."""
    return False


class Paced(Generic[_Item]):
    """Batches of items, each over when its time is. Stops between two batches if `stop` says so.

    Iterate over it for iterators, each over a batch; what a batch left is in the next one. Items
    are fetched between batches, so that no lock is held while they are looked for.
    """

    def __init__(
        self, items: Iterator[_Item], stop: Callable[[], bool] = never, most: int = MOST_IN_BATCH
    ) -> None:
        self._items = items
        self._stop = stop
        self._most = most
        self.stopped = False

    def __iter__(self) -> Iterator[Iterator[_Item]]:
        waiting: deque[_Item] = deque()
        rest = False
        while True:
            waiting.extend(islice(self._items, self._most - len(waiting)))
            if not waiting:
                return
            if self._stop():
                self.stopped = True
                return
            if rest:
                time.sleep(REST)
            rest = True
            yield self._batch(waiting)

    def _batch(self, waiting: deque[_Item]) -> Iterator[_Item]:
        """Yield items for as long as a batch takes, from when it is first asked for one."""
        end = time.monotonic() + WORK
        while waiting:
            yield waiting.popleft()
            if time.monotonic() > end:
                return
