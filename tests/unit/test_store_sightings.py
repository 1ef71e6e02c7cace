"""How long the store knows what ran, and how much it takes."""

from datetime import UTC, datetime, timedelta

import pytest

import images
from killick.cli.chores import gauges_of
from killick.errors import LimitExceeded, StoreReadOnly
from killick.manifest import parse_document
from killick.names import Tag
from killick.observation import Claim, Container, Snapshot
from killick.store import Store, sightings

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = "sha256:" + "1" * 64


class Clock:
    now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with Store(tmp_path, clock=clock, retention=90 * DAY) as opened:
        yield opened


def snapshot(identifier, host="web1", taken=NOON):
    container = Container(identifier, "web", "golftrack", (Claim("container.Image", DIGEST),))
    return Snapshot(host, "docker", taken, (container,))


def document_of(repository, d):
    with repository.open(d) as stream:
        return parse_document(stream.read(), d.media_type)


def test_what_is_gone_is_forgotten_after_the_retention(store, clock):
    store.report(snapshot("c1"))
    for days, known in ((89, ["c2", "c1"]), (91, ["c2"])):
        clock.now = NOON + days * DAY
        store.report(snapshot("c2", taken=clock.now))
        assert [s.container.id for s in store.sightings(DIGEST)] == known


def test_a_host_that_is_not_heard_of_any_more_is_forgotten_as_well(store, clock):
    store.report(snapshot("c1"))
    clock.now = NOON + 91 * DAY
    store.report(snapshot("c2", "web2", clock.now))
    assert [s.host for s in store.snapshots()] == ["web2"]
    assert [s.host for s in store.sightings(DIGEST)] == ["web2"]


def test_without_a_retention_nothing_is_forgotten(tmp_path, clock):
    with Store(tmp_path, clock=clock, retention=None) as store:
        store.report(snapshot("c1"))
        clock.now = NOON + 9000 * DAY
        store.report(snapshot("c2", taken=clock.now))
        assert len(list(store.sightings(DIGEST))) == 2


def test_there_is_room_for_so_many_hosts(store, monkeypatch):
    monkeypatch.setattr(sightings, "MOST_HOSTS", 1)
    store.report(snapshot("c1"))
    store.report(snapshot("c2"))
    with pytest.raises(LimitExceeded):
        store.report(snapshot("c1", "web2"))
    with pytest.raises(LimitExceeded):
        store.report(Snapshot("web2", "docker", NOON, failure="it is off"))


def test_a_store_that_is_only_read_takes_no_reports(store, tmp_path):
    store.report(snapshot("c1"))
    with Store(tmp_path, read_only=True) as reading:
        assert [s.host for s in reading.snapshots()] == ["web1"]
        with pytest.raises(StoreReadOnly):
            reading.report(snapshot("c2"))


def test_it_outlives_the_process(store, tmp_path):
    store.report(snapshot("c1"))
    store.close()
    with Store(tmp_path) as again:
        assert list(again.snapshots()) == [snapshot("c1")]


def test_containers_are_counted_by_what_our_tags_say_of_their_digests(store):
    repository = store.repository("golftrack")
    old, new = (images.image(repository, {"app": text}) for text in (b"old", b"new"))
    repository.tag(Tag("1.5"), old)
    repository.tag(Tag("1.5"), new)

    def runs(identifier, value):
        return Container(identifier, "web", "golftrack:1.5", (Claim("container.Image", value),))

    config = document_of(repository, new).config.digest
    store.report(
        Snapshot(
            "web1",
            "docker",
            NOON,
            (
                runs("c1", str(new.digest)),
                runs("c2", str(config)),
                runs("c3", str(old.digest)),
                runs("c4", DIGEST),
            ),
        )
    )
    store.report(Snapshot("web2", "podman", NOON, failure="it is off"))
    told = store.standings()
    assert (told.hosts, told.failed, told.oldest) == (2, 1, NOON)
    assert told.containers == (
        ("docker", "current", 2),
        ("docker", "superseded", 1),
        ("docker", "unknown", 1),
    )


def test_figures_of_the_fleet_have_no_labels_that_a_reporter_makes_up(store):
    store.report(Snapshot('a"host', 'x"} 1\nevil', NOON, (snapshot("c1").containers)))
    lines = list(gauges_of(store))
    assert 'killick_fleet_containers{engine="other",standing="unknown"} 1' in lines
    assert 'killick_fleet_hosts{answer="given"} 1' in lines
    assert not any("evil" in line for line in lines)
