"""Many engines at once: each gives one snapshot, whatever becomes of it."""

import threading
from datetime import UTC, datetime

import pytest

from engine_doubles import docker, serving
from killick.errors import Unreachable
from killick.fleet import scan as scanning
from killick.fleet.engines import engine_at
from killick.fleet.scan import scan
from killick.observation import Snapshot

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Engine:
    """An engine that does what it is told to when it is asked."""

    kind = "docker"

    def __init__(self, host, act=lambda: None):
        self.host = host
        self._act = act

    def snapshot(self, seconds, /):
        self._act()
        return Snapshot(self.host, self.kind, NOON)


def refuse():
    raise Unreachable("it is off", side="engine", hint="turn it on")


def stumble():
    raise ZeroDivisionError("oops")


def by_host(found):
    return {snapshot.host: snapshot for snapshot in found}


def test_no_engines_no_snapshots():
    assert list(scan([])) == []


def test_a_dead_engine_is_a_snapshot_that_says_why():
    found = by_host(scan([Engine("up"), Engine("down", refuse)]))
    assert found["up"].failure is None
    assert found["down"].failure == "it is off; turn it on"
    assert (found["down"].engine, found["down"].containers) == ("docker", ())


def test_a_slip_of_ours_hides_no_host():
    (found,) = scan([Engine("up", stumble)])
    assert found.failure == "internal error: ZeroDivisionError('oops')"


def test_one_that_hangs_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(scanning, "_GRACE", 0.0)
    release = threading.Event()
    engines = [Engine("stuck", lambda: release.wait(60)), Engine("up"), Engine("down", refuse)]
    found = by_host(scan(engines, seconds=0.5, parallel=1))
    release.set()
    assert set(found) == {"stuck", "up", "down"}
    assert found["stuck"].failure == "no answer within 0.5 seconds"
    assert found["up"].failure is None


def test_no_more_than_so_many_are_asked_at_once():
    lock, now, most = threading.Lock(), 0, 0

    def count():
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.01)
        with lock:
            now -= 1

    found = list(scan([Engine(str(n), count) for n in range(20)], parallel=4))
    assert len(found) == 20
    assert most <= 4


def test_the_dead_do_not_wait_for_each_other(monkeypatch):
    """All of them are asked before the first one's time is over: it is that time, once."""
    monkeypatch.setattr(scanning, "_SLOW", 0.001)
    lock, asked, release = threading.Lock(), [], threading.Event()

    def hang(host):
        with lock:
            asked.append(host)
            if len(asked) == 200:
                release.set()
        assert release.wait(60)

    hosts = [f"dead-{n}" for n in range(200)]
    found = list(scan([Engine(host, lambda host=host: hang(host)) for host in hosts], seconds=60))
    assert sorted(asked) == sorted(hosts)
    assert [snapshot.failure for snapshot in found] == [None] * 200


def test_only_so_many_are_talked_to_at_once_as_long_as_they_answer():
    lock, now, most, release = threading.Lock(), 0, 0, threading.Event()
    stopped = [0.0]  # a clock that stands still: nobody is slow

    def count():
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == scanning.BRISK:
                release.set()
        assert release.wait(60)
        with lock:
            now -= 1

    engines = [Engine(str(n), count) for n in range(scanning.BRISK + 50)]
    found = list(scan(engines, seconds=60, clock=lambda: stopped[0]))
    assert len(found) == scanning.BRISK + 50
    assert most == scanning.BRISK


@pytest.mark.parametrize("parallel", [1, 50])
def test_real_sockets(parallel, tmp_path):
    with serving(docker("a", "b")) as one, serving(docker("c")) as two:
        engines = [engine_at(one.url, "one"), engine_at(two.url, "two")]
        engines.append(engine_at(f"unix://{tmp_path}/none.sock", "none"))
        found = by_host(scan(engines, parallel=parallel))
    assert [c.name for c in found["one"].containers] == ["a", "b"]
    assert [c.name for c in found["two"].containers] == ["c"]
    assert "no such file" in found["none"].failure
