"""The checker of histories, tried on histories that are linearizable, and on some that are not."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linearizable import OPEN, Call, by_search, by_zones

look, swap, write = Call.look, Call.swap, Call.write

GOOD = {
    "nothing": [],
    "one after the other": [write(0, 1, "a"), look(2, 3, "a"), write(4, 5, "b"), look(6, 7, "b")],
    "the initial value": [look(0, 1, None), write(2, 3, "a")],
    "either, while a write is under way": [write(0, 9, "a"), look(1, 2, None), look(3, 4, "a")],
    "two writers, either order": [write(0, 9, "a"), write(0, 9, "b"), look(10, 11, "a")],
    "reads on both sides of a write": [
        *(write(0, 1, "a"), write(2, 9, "b")),
        *(look(3, 4, "a"), look(5, 6, "b"), look(7, 8, "b")),
    ],
    "a write that was never answered, and is seen": [write(0, OPEN, "a"), look(5, 6, "a")],
    "a write that was never answered, and never seen": [write(0, OPEN, "a"), look(5, 6, None)],
    "touching ends": [write(0, 1, "a"), look(1, 2, None)],
}

BAD = {
    "a value from nowhere": [look(0, 1, "a")],
    "from the future": [look(0, 1, "a"), write(2, 3, "a")],
    "stale": [write(0, 1, "a"), write(2, 3, "b"), look(4, 5, "a")],
    "lost": [write(0, 1, "a"), look(2, 3, None)],
    "back and forth": [write(0, 9, "a"), look(1, 2, "a"), look(3, 4, None)],
    "two readers disagree on the order": [
        *(write(0, 1, "a"), write(0, 1, "b")),
        *(look(2, 3, "a"), look(4, 5, "b"), look(6, 7, "a")),
    ],
    "two at once": [
        *(write(0, 9, "a"), write(0, 9, "b")),
        *(look(1, 2, "a"), look(3, 4, "b"), look(5, 6, "a")),
    ],
    "swallowed": [write(0, 1, "a"), write(2, 3, "b"), look(4, 5, "a"), look(6, 7, "a")],
}

WITH_SWAPS = {
    "a chain": ([swap(0, 9, None, "a"), swap(0, 9, "a", "b"), swap(0, 9, "b", "c")], True),
    "two from one": ([swap(0, 9, None, "a"), swap(0, 9, None, "b")], False),
    "a value that comes again": (
        [write(0, 1, "a"), write(2, 3, "b"), write(4, 5, "a"), look(6, 7, "a")],
        True,
    ),
    "a lost update": ([write(0, 1, "a"), swap(2, 9, "a", "b"), swap(2, 9, "a", "c")], False),
    "a swap across a write": ([write(0, 1, "a"), write(2, 3, "b"), swap(4, 5, "a", "c")], False),
    "a swap that may have been": ([swap(0, OPEN, None, "a"), look(1, 2, None)], True),
    "and was": ([swap(0, OPEN, None, "a"), look(1, 2, "a"), swap(3, 4, "a", "b")], True),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_histories(name):
    assert list(by_zones(GOOD[name])) == []
    assert by_search(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad_histories(name):
    assert list(by_zones(BAD[name]))
    assert not by_search(BAD[name])


@pytest.mark.parametrize("name", WITH_SWAPS)
def test_histories_with_swaps(name):
    calls, good = WITH_SWAPS[name]
    assert by_search(calls) is good


@pytest.mark.parametrize("calls", [[write(0, 1, "a"), write(2, 3, "a")], [swap(0, 1, None, "a")]])
def test_what_zones_are_not_for(calls):
    with pytest.raises(ValueError, match=r"twice|search"):
        list(by_zones(calls))


@st.composite
def histories(draw, *, swaps=False):
    """Up to six calls with short intervals; each value is written once at most."""
    calls = []
    for number in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, 8))
        end = draw(st.sampled_from([start, start + 1, start + 3, start + 6, OPEN]))
        value = draw(st.sampled_from([None, "v0", "v1", "v2", "v3", "v4", "v5"]))
        kinds = ["read", "write", "swap"] if swaps else ["read", "write"]
        kind = draw(st.sampled_from(kinds))
        if kind == "read":
            calls.append(look(start, start + 1 if end == OPEN else end, value))
        elif kind == "write":
            calls.append(write(start, end, f"v{number}"))
        else:
            calls.append(swap(start, end, value, f"v{number}"))
    return calls


def by_trying(calls):
    """Try each order of each choice of unanswered calls: slow, and plainly right."""
    required = [call for call in calls if call.end < OPEN]
    optional = [call for call in calls if call.end == OPEN]
    for chosen in range(1 << len(optional)):
        some = required + [call for i, call in enumerate(optional) if chosen >> i & 1]
        if any(_holds(order) for order in permutations(some)):
            return True
    return False


def _holds(order):
    value, latest = None, -OPEN
    for call in order:
        # The earliest moment at which it can happen, given those before it.
        latest = max(latest, call.start)
        if latest > call.end or (call.reads and call.read != value):
            return False
        value = call.wrote if call.writes else value
    return True


@given(histories())
def test_both_ways_agree_with_trying_everything(calls):
    right = by_trying(calls)
    assert by_search(calls) is right
    assert (not list(by_zones(calls))) is right


@given(histories(swaps=True))
def test_the_search_agrees_with_trying_everything(calls):
    assert by_search(calls) is by_trying(calls)
