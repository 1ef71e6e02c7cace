"""Asking many engines at once, none of which can hold up, or break, the others' answers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue

from killick.errors import KillickError
from killick.fleet.engines.protocol import Engine
from killick.moments import utc_now
from killick.observation import Snapshot

PARALLEL = 200
SECONDS = 30.0
_GRACE = 2.0
"""Seconds that an engine has to notice by itself that its time is over."""


def scan(
    engines: Iterable[Engine], seconds: float = SECONDS, parallel: int = PARALLEL
) -> Iterator[Snapshot]:
    """Yield one snapshot an engine, as they come in; of one that can't be asked, the reason.

    Each engine has so many `seconds`, and `parallel` are asked at once. An engine that hangs where
    nothing can interrupt it (as in looking up a name) is left behind.
    """
    waiting = deque(engines)
    answers: SimpleQueue[tuple[int, Snapshot]] = SimpleQueue()
    asked: dict[int, tuple[Engine, float]] = {}
    count = 0
    while waiting or asked:
        while waiting and len(asked) < parallel:
            engine, count = waiting.popleft(), count + 1
            asked[count] = engine, time.monotonic() + seconds + _GRACE
            arguments = (engine, seconds, count, answers)
            threading.Thread(target=_ask, args=arguments, daemon=True).start()
        earliest = min(end for _, end in asked.values())
        try:
            number, snapshot = answers.get(timeout=max(earliest - time.monotonic(), 0))
        except Empty:
            for number, (engine, end) in list(asked.items()):
                if end <= time.monotonic():
                    del asked[number]
                    yield _failed(engine, f"no answer within {seconds:g} seconds")
        else:
            if asked.pop(number, None):
                yield snapshot


def _ask(
    engine: Engine, seconds: float, number: int, answers: SimpleQueue[tuple[int, Snapshot]]
) -> None:
    try:
        snapshot = engine.snapshot(seconds)
    except KillickError as error:
        hint = f"; {error.hint}" if error.hint else ""
        snapshot = _failed(engine, f"{error.message}{hint}")
    except Exception as error:  # our own slip may hide no host: it is told as such
        snapshot = _failed(engine, f"internal error: {error!r}")
    answers.put((number, snapshot))


def _failed(engine: Engine, reason: str) -> Snapshot:
    return Snapshot(engine.host, engine.kind, utc_now(), failure=reason)
