"""Asking many engines at once, none of which can hold up, or break, the others' answers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue

from killick.errors import KillickError
from killick.fleet.engines.protocol import Engine
from killick.moments import utc_now
from killick.observation import Snapshot

PARALLEL = 200
SECONDS = 30.0
BRISK = 32
"""How many are talked to at once; more threads would only wait for the interpreter's lock."""
_SLOW = 0.2
"""After so many seconds without having told all, an engine no longer keeps others waiting."""
_GRACE = 2.0
"""Seconds that an engine has to notice by itself that its time is over."""


def scan(
    engines: Iterable[Engine],
    seconds: float = SECONDS,
    parallel: int = PARALLEL,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Snapshot]:
    """Yield one snapshot an engine, as they come in; of one that can't be asked, the reason.

    Each engine has so many `seconds`, and `parallel` are asked at once: `BRISK` at first, and one
    more for each that is slow to answer, so that the dead cost little more than one time limit. An
    engine that hangs where nothing can interrupt it (as in looking up a name) is left behind.
    """
    waiting = deque(engines)
    answers: SimpleQueue[tuple[int, Snapshot]] = SimpleQueue()
    asked: dict[int, tuple[Engine, float]] = {}  # by number, in the order in which they began
    count = 0
    while waiting or asked:
        while waiting and len(asked) < parallel and _brisk(asked, clock()) < BRISK:
            engine, count = waiting.popleft(), count + 1
            asked[count] = engine, clock()
            arguments = (engine, seconds, count, answers)
            threading.Thread(target=_ask, args=arguments, daemon=True).start()
        now = clock()
        events = [next(began for _, began in asked.values()) + seconds + _GRACE]
        if waiting and len(asked) < parallel:
            slow = (began + _SLOW for _, began in asked.values())
            events.append(next((at for at in slow if at > now), now))
        try:
            number, snapshot = answers.get(timeout=max(min(events) - now, 0))
        except Empty:
            yield from _left_behind(asked, seconds, clock())
        else:
            if asked.pop(number, None):
                yield snapshot


def _brisk(asked: Mapping[int, tuple[Engine, float]], now: float) -> int:
    return sum(now - began < _SLOW for _, began in asked.values())


def _left_behind(
    asked: dict[int, tuple[Engine, float]], seconds: float, now: float
) -> Iterator[Snapshot]:
    """Yield the failures of those whose time has long been over, and take them out of `asked`."""
    for number, (engine, began) in list(asked.items()):
        if began + seconds + _GRACE <= now:
            del asked[number]
            yield _failed(engine, f"no answer within {seconds:g} seconds")


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
