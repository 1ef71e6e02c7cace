"""When to try again, and how long to wait before: a policy without I/O.

Worth another try: broken connections, 408, 429, and the 5xx that pass. Waits double from half a
second, with jitter so that many clients don't come back in step; `Retry-After` is honoured where
the patience suffices, and where it does not, there is no sense in trying earlier.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

AGAIN = frozenset({408, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529})
MOST_WAIT = 60.0

_FIRST_WAIT = 0.5


class Retry:
    """The tries of one operation: at most `attempts`, with `patience` seconds of waiting in all."""

    def __init__(
        self, attempts: int, patience: float, jitter: Callable[[], float] = random.random
    ) -> None:
        self._attempts = attempts
        self._patience = patience
        self._jitter = jitter
        self._tries = 1
        self.asked: float | None = None

    @property
    def repeated(self) -> bool:
        """Whether something was tried again since it last progressed."""
        return self._tries > 1

    def wait(self, retry_after: float | None = None) -> float | None:
        """Return how many seconds to wait before the next try; None: give up.

        `retry_after` is what the other side asks for; it stays in `asked`, to be told.
        """
        self.asked = retry_after
        if self._tries >= self._attempts:
            return None
        pause: float = _FIRST_WAIT * 2 ** (self._tries - 1) * (0.5 + self._jitter() / 2)
        if retry_after is not None:
            pause = max(pause, retry_after)
        if pause > min(self._patience, MOST_WAIT):
            return None
        self._tries += 1
        self._patience -= pause
        return pause

    def progressed(self) -> None:
        """Take notice that the last try brought something: the next failure is a first one."""
        self._tries = 1


def seconds(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Return how many seconds a `Retry-After` header asks for; None where it is not understood.

    It holds seconds or a date; what lies in the past, or before, is no wait at all.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    from email.utils import parsedate_to_datetime  # loaded by http.client anyway

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
