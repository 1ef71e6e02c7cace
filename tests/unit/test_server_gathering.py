"""Bodies as they come: in batches, no slower than is allowed, and not held longer than needed."""

import asyncio
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect

from killick.errors import LimitExceeded
from killick.server import bodies
from killick.server.bodies import GATHER, gathered
from killick.server.calls import Limits
from killick.server.drain import Drain
from killick.server.responses import Refused

KIB = 1024


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time goes on by itself when nothing is to be done."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        due = [timer.when() for timer in self._scheduled if not timer.cancelled()]
        if not self._ready and due:
            self.now = max(self.now, min(due))
        super()._run_once()


def run(sent, *, limits=None, most=2**30, stated=None, drain=None):
    """Gather what `sent` yields: (seconds until it comes, piece); return batches and seconds."""
    loop = Clock()
    coming = iter(sent)

    async def receive():
        pause, piece = next(coming, (10_000, b""))
        await asyncio.sleep(pause)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": piece != b"."}

    call = SimpleNamespace(
        request=SimpleNamespace(receive=receive),
        site=SimpleNamespace(
            limits=limits or Limits(), operations=SimpleNamespace(drain=drain or Drain())
        ),
        header=lambda name: stated if name == "content-length" else None,
    )
    batches = []

    async def main():
        async for pieces in gathered(call, most):
            batches.append(b"".join(pieces))
            del pieces

    try:
        loop.run_until_complete(main())
    except Exception as error:
        return batches, error, loop.now
    finally:
        loop.close()
    return batches, None, loop.now


@pytest.fixture(autouse=True)
def _monotonic(monkeypatch):
    """Let waits be measured by the loop's clock."""
    monkeypatch.setattr(
        bodies.time, "monotonic", lambda: asyncio.get_running_loop().time(), raising=True
    )


def test_pieces_come_in_batches():
    piece = bytes(256 * KIB)
    batches, error, _ = run([(0, piece)] * 9 + [(0, b".")])
    assert error is None
    assert [len(batch) for batch in batches] == [GATHER, GATHER, len(piece) + 1]


def test_a_slow_body_goes_on_as_long_as_enough_comes():
    limits = Limits(idle=60, rate=KIB)
    batches, error, took = run([(50, bytes(60 * KIB))] * 30 + [(50, b".")], limits=limits)
    assert error is None
    assert sum(map(len, batches)) == 30 * 60 * KIB + 1
    assert took == 31 * 50


def test_a_body_that_stands_still_is_cut_and_what_came_is_kept():
    batches, error, took = run([(1, b"x" * KIB)] * 2, limits=Limits(idle=60))
    assert isinstance(error, Refused)
    assert error.status == 408
    assert batches == [b"x" * 2 * KIB]
    assert took == 60  # what came was too little to begin anew


def test_a_body_that_only_trickles_is_cut():
    batches, error, took = run([(10, b"x")] * 1000, limits=Limits(idle=60, rate=KIB))
    assert isinstance(error, Refused)
    assert took == 60
    assert batches[0] == b"x" * 5


def test_without_a_rate_every_byte_counts():
    _, error, took = run([(50, b"x")] * 20 + [(50, b".")], limits=Limits(idle=60, rate=0))
    assert error is None
    assert took == 21 * 50


def test_waiting_is_added_up_over_batches(monkeypatch):
    monkeypatch.setattr(bodies, "GATHER", bodies.LEAST)
    limits = Limits(idle=60, rate=100 * KIB)  # 6,000 KiB in 60 s; 64 KiB every 10 s are too few
    _, error, took = run([(10, bytes(64 * KIB))] * 100, limits=limits)
    assert isinstance(error, Refused)
    assert took == 60


def test_a_caller_who_goes_away():
    batches, error, _ = run([(0, b"abc"), (0, None)])
    assert isinstance(error, ClientDisconnect)
    assert batches == [b"abc"]


def test_too_much_is_refused_before_it_is_gathered():
    _, error, _ = run([(0, b"abc"), (0, b"de"), (0, b".")], most=4)
    assert isinstance(error, LimitExceeded)
    batches, error, _ = run([(0, b"x")], most=4, stated="5")
    assert isinstance(error, LimitExceeded)
    assert not batches


def test_a_server_that_stops_keeps_what_came():
    drain = Drain()

    def sent():
        yield 0, b"abc"
        drain.cut()
        yield 10, b"never"

    batches, error, _ = run(sent(), drain=drain)
    assert isinstance(error, Refused)
    assert error.status == 503
    assert batches == [b"abc"]


def test_what_was_taken_over_is_not_held_while_more_is_waited_for():
    freed = []

    class Piece(bytes):
        __slots__ = ()

        def __del__(self):
            freed.append(len(self))

    def sent():
        yield 0, Piece(GATHER)
        yield 0, Piece(1)
        freed.append("waits")
        yield 1, b"."

    _, error, _ = run(sent())
    assert error is None
    assert freed[:2] == [GATHER, "waits"]
