"""Is a history of calls on one register linearizable?

A call is an interval of time, and what it read or wrote. A history is linearizable if each call can
be thought to have happened at one moment within its interval, so that every read gives what was
written last. A tag is such a register.

Two ways to decide it:

`by_zones` is for reads and writes in which no value is written twice (Gibbons and Korach, "Testing
Shared Memories", 1997), and takes n·log n steps. All calls about a value, its write and its reads,
form its zone: from the first moment at which one of them was over to the last at which one began.
If that is forward in time, the register had the value all along, so no other value's such zone may
overlap it; and a value that was wholly over within it (a backward zone) had no moment to be there.

`by_search` is for histories with compare-and-swap, too, and for values that come again. It tries
orders (Wing and Gong, 1993), remembers which states lead nowhere (Lowe, 2017), and needs a history
in which what is possible next is mostly forced.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

OPEN = math.inf
"""The end of a call whose answer never came: it may have happened at any later time, or never."""


@dataclass(frozen=True)
class Call:
    """A call: `read` is what it found, `wrote` what it left there (both: compare-and-swap)."""

    start: float
    end: float
    read: Any = None
    wrote: Any = None
    kind: str = "write"

    @classmethod
    def write(cls, start, end, value):
        return cls(start, end, None, value, "write")

    @classmethod
    def look(cls, start, end, value):
        return cls(start, end, value, None, "read")

    @classmethod
    def swap(cls, start, end, old, new):
        """A compare-and-swap that was told to have happened."""
        return cls(start, end, old, new, "swap")

    @property
    def reads(self):
        return self.kind in ("read", "swap")

    @property
    def writes(self):
        return self.kind in ("write", "swap")


def by_zones(calls, initial=None):
    """Yield, in words, why reads and writes of values that are each written once have no order.

    Raises:
        ValueError: a value is written twice, or a call swaps.
    """
    groups = _groups(calls, initial)
    forward, backward = [], []
    for value, group in groups.items():
        write = next((call for call in group if call.writes), None)
        if write is None:
            yield f"{value} was read, and nobody wrote it"
            continue
        if any(call.end < write.start for call in group):
            yield f"{value} was read before it was written"
            continue
        ended, began = min(call.end for call in group), max(call.start for call in group)
        (forward if ended < began else backward).append((*sorted((ended, began)), value))
    forward.sort(key=lambda zone: zone[:2])
    for (_, before, one), (after, _, other) in pairwise(forward):
        if after < before:
            yield f"{one} and {other} were both there at the same time"
    yield from _swallowed(forward, backward)


def _groups(calls, initial):
    """Return the calls of each value that was there: its write first, if there is one."""
    groups = defaultdict(list)
    groups[initial].append(Call.write(-OPEN, -OPEN, initial))
    for call in calls:
        if call.kind == "swap":
            raise ValueError("swaps need a search")
        value = call.wrote if call.writes else call.read
        group = groups[value]
        if call.writes and any(other.writes for other in group):
            raise ValueError(f"{value} is written twice")
        group.append(call)
    # A write that was never answered, and whose value nobody saw, may not have happened.
    return {v: g for v, g in groups.items() if not (len(g) == 1 and g[0].end == OPEN)}


def _swallowed(forward, backward):
    """Yield the values whose whole time lies within that of another one."""
    remaining = iter(forward)
    zone = next(remaining, None)
    for start, end, value in sorted(backward, key=lambda each: each[:2]):
        while zone is not None and zone[1] <= start:
            zone = next(remaining, None)
        if zone is not None and zone[0] < start and end < zone[1]:
            yield f"{value} was there within the time of {zone[2]}"


def by_search(calls, initial=None):
    """Return whether the calls have an order.

    Calls that were never answered (their end is `OPEN`) may be left out of it.
    """
    calls = sorted(calls, key=lambda call: call.start)
    required = frozenset(i for i, call in enumerate(calls) if call.end < OPEN)
    dead = set()
    # Each level: the calls that are done, the value that is there, and what may be tried next.
    done, value = frozenset(), initial
    done, value = _looked(calls, done, value)
    path = [(done, value, _next(calls, done, value))]
    while path:
        done, value, tries = path[-1]
        if required <= done:
            return True
        number = next(tries, None)
        if number is None:
            dead.add((done, value))
            path.pop()
            continue
        after = _looked(calls, done | {number}, calls[number].wrote)
        if after not in dead:
            path.append((*after, _next(calls, *after)))
    return False


def _looked(calls, done, value):
    """Let all reads happen that are possible now; that never takes anything from what follows."""
    while True:
        possible = [i for i in _minimal(calls, done) if calls[i].kind == "read"]
        fitting = [i for i in possible if calls[i].read == value]
        if not fitting:
            return done, value
        done |= set(fitting)


def _next(calls, done, value):
    """Return an iterator over the writes that may come next, swaps first: those are forced."""
    possible = [i for i in _minimal(calls, done) if calls[i].writes]
    swaps = [i for i in possible if calls[i].kind == "swap" and calls[i].read == value]
    plain = [i for i in possible if calls[i].kind == "write"]
    return iter(swaps + sorted(plain, key=lambda i: calls[i].end))


def _minimal(calls, done):
    """Return the calls that no other pending call has to come before."""
    earliest = OPEN
    found = []
    for number, call in enumerate(calls):
        if number in done:
            continue
        if call.start > earliest:
            break
        earliest = min(earliest, call.end)
        found.append(number)
    return [number for number in found if calls[number].start <= earliest]
