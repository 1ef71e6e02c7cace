"""What engines said is kept: by the store, and by the oracle."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from killick.memory import MemoryRegistry
from killick.observation import Claim, Claimable, Container, Sightings, Snapshot, Workload
from killick.platforms import Platform
from killick.rights import ANONYMOUS
from killick.store import Store

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW = ("sha256:" + digit * 64 for digit in "01")


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@contextmanager
def memory(_, clock):
    yield MemoryRegistry(clock=clock)


@contextmanager
def store(folder, clock):
    with Store(folder / "store", clock=clock) as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=[memory, store])
def keeper(request, tmp_path, clock):
    with request.param(tmp_path, clock) as opened:
        yield opened


def container(identifier="c1", digest=OLD, **fields):
    claims = (Claim("container.Image", digest),)
    return Container(identifier, "web-1", "golftrack:1.5", claims, **fields)


def snapshot(*containers, host="web1", taken=NOON):
    return Snapshot(host, "docker", taken, containers)


def seen(keeper, words):
    return list(keeper.sightings(words))


def test_it_is_a_capability(keeper):
    assert isinstance(keeper, Sightings)


def test_a_host_is_whose_account_claims_it_first(keeper):
    assert isinstance(keeper, Claimable)
    assert keeper.claim("web1", "ana") == "ana"
    assert keeper.claim("web1", "eve") == "ana"
    assert keeper.claim("web2", "eve") == "eve"
    keeper.report(snapshot(container()))
    keeper.forget("web1")
    assert keeper.claim("web1", "eve") == "eve"


def test_who_has_no_account_keeps_nobody_out(keeper):
    assert keeper.claim("web1", ANONYMOUS) == ANONYMOUS
    assert keeper.claim("web1", "ana") == "ana"
    assert keeper.claim("web1", ANONYMOUS) == "ana"


def test_the_first_sightings_can_be_left_out(keeper):
    keeper.report(snapshot(*(container(f"c{n:04}") for n in range(1203))))
    found = [s.container.id for s in keeper.sightings(OLD)]
    assert len(set(found)) == len(found) == 1203
    for skip in (0, 1, 499, 500, 501, 1202, 1203, 5000):
        assert [s.container.id for s in keeper.sightings(OLD, skip)] == found[skip:]


def test_nothing_is_known_at_first(keeper):
    assert list(keeper.snapshots()) == []
    assert seen(keeper, OLD) == []


def test_a_snapshot_comes_back_the_same(keeper):
    full = container(
        names=("golftrack:1.5",),
        platform=Platform("linux", "arm64", "v8"),
        state="running",
        role="init",
        host="node-1",
        created=NOON,
        started=NOON,
        workload=Workload("Deployment", "web", "shop"),
        pulls="Always",
        labels={"team": "golf"},
    )
    said = snapshot(full, container("c2"))
    keeper.report(said)
    assert list(keeper.snapshots()) == [said]


def test_the_newest_of_each_host_is_told(keeper, clock):
    clock.now += HOUR
    keeper.report(snapshot(container(), host="web2"))
    keeper.report(snapshot(container()))
    newest = snapshot(container("c2", NEW), taken=NOON + HOUR)
    keeper.report(newest)
    assert list(keeper.snapshots()) == [newest, snapshot(container(), host="web2")]


def test_what_is_gone_is_still_known(keeper, clock):
    keeper.report(snapshot(container()))
    clock.now += HOUR
    keeper.report(snapshot(container("c2", NEW), taken=clock.now))
    (sighting,) = seen(keeper, OLD)
    assert (sighting.host, sighting.engine, sighting.container) == ("web1", "docker", container())
    assert (sighting.first, sighting.last) == (NOON, NOON)


def test_names_that_vanish_leave_a_sighting(keeper, clock):
    keeper.report(snapshot(container(names=("golftrack:1.5",))))
    clock.now += HOUR
    keeper.report(snapshot(container(), taken=clock.now))
    assert [s.container.names for s in seen(keeper, "c1")] == [(), ("golftrack:1.5",)]


def test_what_is_seen_again_is_one_sighting(keeper, clock):
    keeper.report(snapshot(container(state="running", started=NOON)))
    clock.now += HOUR
    again = container(state="exited", started=NOON + HOUR)
    keeper.report(snapshot(again, taken=clock.now))
    (sighting,) = seen(keeper, "c1")
    assert (sighting.first, sighting.last) == (NOON, clock.now)
    assert sighting.container == again


def test_the_same_report_twice_is_as_once(keeper):
    keeper.report(snapshot(container()))
    keeper.report(snapshot(container()))
    assert list(keeper.snapshots()) == [snapshot(container())]
    assert len(seen(keeper, OLD)) == 1


def test_an_older_report_that_comes_late_does_not_replace_a_newer_one(keeper, clock):
    clock.now += HOUR
    newest = snapshot(container(state="exited"), taken=clock.now)
    keeper.report(newest)
    keeper.report(snapshot(container(state="running"), container("c2")))
    assert list(keeper.snapshots()) == [newest]
    (sighting,) = seen(keeper, "c1")
    assert (sighting.first, sighting.container.state) == (NOON, "exited")
    assert len(seen(keeper, "c2")) == 1


def test_a_clock_that_is_ahead_hides_nothing(keeper, clock):
    keeper.report(snapshot(container(), taken=NOON + 1000 * HOUR))
    keeper.report(snapshot(container("c2")))
    assert list(keeper.snapshots()) == [snapshot(container("c2"))]


def test_a_failure_leaves_what_was_known(keeper, clock):
    keeper.report(snapshot(container()))
    clock.now += HOUR
    keeper.report(Snapshot("web1", "docker", clock.now, failure="it is off"))
    assert list(keeper.snapshots()) == [replace(snapshot(container()), failure="it is off")]
    keeper.report(snapshot(taken=clock.now))
    assert list(keeper.snapshots()) == [snapshot(taken=clock.now)]


def test_a_host_that_never_answered_is_told_of(keeper):
    failed = Snapshot("web1", "docker", NOON, failure="it is off")
    keeper.report(failed)
    assert list(keeper.snapshots()) == [failed]


def test_a_failure_from_before_the_newest_answer_says_nothing(keeper, clock):
    clock.now += HOUR
    keeper.report(snapshot(container(), taken=clock.now))
    keeper.report(Snapshot("web1", "docker", NOON, failure="it was off"))
    assert list(keeper.snapshots()) == [snapshot(container(), taken=clock.now)]


def test_a_digest_is_found_wherever_it_was_told(keeper):
    keeper.report(
        snapshot(
            Container("a", "a", f"golftrack@{OLD}"),
            Container("b", "b", "golftrack", names=(f"golftrack@{OLD}",)),
            Container("c", "c", "golftrack", (Claim("container.Image", "0" * 64),)),
            Container("d", "d", "golftrack", (Claim("x", f"docker-pullable://golftrack@{OLD}"),)),
            Container("e", "e", f"golftrack@{NEW}"),
        )
    )
    assert {s.container.id for s in seen(keeper, OLD)} == set("abcd")


def test_an_id_is_found_without_what_kubernetes_puts_before_it(keeper):
    keeper.report(snapshot(container("containerd://abc")))
    assert len(seen(keeper, "abc")) == 1


def test_the_same_container_twice_in_a_report_is_told_once(keeper):
    keeper.report(snapshot(container(), container()))
    assert len(seen(keeper, "c1")) == 1


def test_a_host_is_forgotten(keeper):
    keeper.report(snapshot(container()))
    keeper.report(snapshot(container(), host="web2"))
    assert keeper.forget("web1")
    assert not keeper.forget("web1")
    assert [s.host for s in keeper.snapshots()] == ["web2"]
    assert [s.host for s in seen(keeper, OLD)] == ["web2"]
