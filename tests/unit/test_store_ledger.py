"""Tags of a store: moved by compare-and-swap, never forgotten, chained so that edits show."""

import sqlite3
import threading
from datetime import timedelta

import pytest

from images import image
from killick import travel
from killick.errors import Conflict, ManifestUnknown, TagUnknown
from killick.memory import MemoryRegistry
from killick.names import Reference, Tag
from killick.repository import Cause
from killick.store import Store
from stores import NAME, START

TAG = Tag("1.5")


@pytest.fixture
def store(tmp_path, clock):
    with Store(tmp_path / "store", actor="anna@laptop", clock=clock) as opened:
        yield opened


@pytest.fixture
def three(repository):
    """Three images, all different."""
    return [image(repository, {"version": b"%d" % i}) for i in range(3)]


def test_every_move_is_recorded_with_all_that_is_known(repository, three, clock):
    repository.tag(TAG, three[0])
    clock.forward(hours=1)
    repository.move(TAG, three[1], Cause("pulled", "ben@desk"))
    repository.untag(TAG)
    deleted, pulled, tagged = repository.history(TAG)
    assert (tagged.sequence, tagged.to, tagged.previous) == (1, three[0].plain(), None)
    assert tagged.cause == Cause("tagged", "anna@laptop")
    assert tagged.time == START
    assert pulled.time == START + timedelta(hours=1)
    assert (pulled.to, pulled.previous) == (three[1].plain(), three[0].digest)
    assert pulled.cause == Cause("pulled", "ben@desk")
    assert (deleted.to, deleted.previous) == (None, three[1].digest)
    assert deleted.cause.kind == "deleted"


def test_a_tag_that_stands_there_does_not_move(repository, three):
    assert repository.move(TAG, three[0], Cause("pulled", "x")) is not None
    assert repository.move(TAG, three[0], Cause("pulled", "x")) is None
    assert len(list(repository.history())) == 1


def test_compare_and_swap(repository, three):
    cause = Cause("pushed", "x")
    repository.move(TAG, three[0], cause, None)
    with pytest.raises(Conflict) as caught:
        repository.move(TAG, three[1], cause, None)
    assert str(three[0].digest) in caught.value.message
    with pytest.raises(Conflict):
        repository.move(TAG, three[2], cause, three[1].digest)
    repository.move(TAG, three[1], cause, three[0].digest)
    with pytest.raises(Conflict):
        repository.move(TAG, None, cause, three[0].digest)
    assert repository.resolve(TAG) == three[1]
    assert len(list(repository.history())) == 2


def test_of_many_who_swap_one_wins(repository, three):
    repository.tag(TAG, three[0])
    start, outcomes = threading.Barrier(6), []

    def swap(i):
        start.wait()
        try:
            repository.move(TAG, three[1 + i % 2], Cause("pushed", f"{i}"), three[0].digest)
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=swap, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 5 + ["won"]


def test_tags_point_at_what_is_here(store, repository, three):
    other = store.repository("docker.io/library/other")
    with pytest.raises(ManifestUnknown):
        other.tag(TAG, three[0])
    with pytest.raises(TagUnknown):
        repository.resolve(TAG)
    with pytest.raises(TagUnknown):
        repository.untag(TAG)
    assert list(repository.history()) == list(other.history()) == []
    assert list(store.repositories()) == [NAME]


def test_what_was_observed_moves_no_local_tag(repository, three):
    seen = Cause("observed", "anna@laptop", "docker.io", False)
    repository.tag(TAG, three[0])
    repository.move(TAG, three[1], seen)
    repository.move(Tag("never-here"), three[2], seen)
    assert repository.resolve(TAG) == three[0]
    assert list(repository.tags()) == [TAG]
    assert [m.to.digest for m in repository.history(TAG)] == [three[0].digest]
    (move,) = repository.history(TAG, "docker.io")
    assert (move.to, move.cause) == (three[1].plain(), seen)
    repository.move(TAG, None, seen)
    assert repository.resolve(TAG) == three[0]


def test_order_is_by_sequence_whatever_the_clock_says(repository, three, clock):
    for d in three:
        repository.tag(TAG, d)
        clock.forward(days=-10)
    assert [m.sequence for m in repository.history()] == [3, 2, 1]
    assert [m.to.digest for m in repository.history()] == [d.digest for d in reversed(three)]


def test_long_histories_come_whole_and_newest_first(repository, three):
    for i in range(1203):
        repository.tag(TAG, three[i % 2])
    assert [m.sequence for m in repository.history(TAG)] == list(range(1203, 0, -1))
    repository.tag(Tag("other"), three[0])
    assert len(list(repository.history())) == 1204
    assert len(list(repository.history(Tag("other")))) == 1


def test_tags_come_in_ascii_order(repository, three):
    for name in ("b", "B", "a-b", "a", "a.b", "1"):
        repository.tag(Tag(name), three[0])
    assert list(repository.tags()) == sorted(["b", "B", "a-b", "a", "a.b", "1"])


def test_time_travel_over_the_store(repository, three, clock):
    for d in (three[0], three[1], three[0], three[2]):
        repository.tag(TAG, d)
        clock.forward(days=1)

    def at(text):
        return travel.resolve(repository, Reference.parse(f"golftrack:{text}"), clock.now)

    assert at("1.5") == three[2]
    assert at("1.5~1") == three[0]
    assert at("1.5~2") == three[1]
    with pytest.raises(TagUnknown):
        at("1.5~3")
    assert at("1.5@{2026-11-02T13:00}") == three[1]
    assert at("1.5@{36 hours ago}") == three[0]
    repository.untag(TAG)
    assert at("1.5~1") == three[2]


def test_the_ledger_outlives_the_content(repository, three):
    repository.tag(TAG, three[0])
    repository.delete(three[0])
    assert [m.cause.kind for m in repository.history(TAG)] == ["deleted", "tagged"]


@pytest.fixture
def database(store):
    connection = sqlite3.connect(store.root / "store.db", isolation_level=None)
    yield connection
    connection.close()


TAMPERING = {
    "an edit": "UPDATE move SET actor = 'nobody' WHERE sequence = 3",
    "another digest": "UPDATE move SET digest = previous WHERE sequence = 4",
    "another time": "UPDATE move SET time = time + 1 WHERE sequence = 2",
    "a drop": "DELETE FROM move WHERE sequence = 3",
    "a drop of the first": "DELETE FROM move WHERE sequence = 1",
    "a drop of the last": "DELETE FROM move WHERE sequence = 5",
    "a swap": "UPDATE move SET sequence = 100 WHERE sequence = 4;"
    "UPDATE move SET sequence = 4 WHERE sequence = 5;"
    "UPDATE move SET sequence = 5 WHERE sequence = 100",
    "a forged hash": "UPDATE move SET hash = 'aa' WHERE sequence = 3",
    "a moved tag": "UPDATE tag SET digest = (SELECT previous FROM move WHERE sequence = 5)",
    "a removed tag": "DELETE FROM tag",
    "an invented entry": "INSERT INTO move SELECT repository, 6, time, origin, tag, digest,"
    " media_type, size, previous, kind, actor, authoritative, overriding, hash, released"
    " FROM move WHERE sequence = 5",
    "an excuse": "UPDATE move SET overriding = 1 WHERE sequence = 3",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_found(store, repository, three, database, statement):
    for i in range(5):
        repository.tag(TAG, three[i % 3])
    assert list(store.verify()) == []
    database.executescript(statement)
    assert [f for f in store.verify() if "ledger" in f.problem and f.images == (NAME,)]


def test_what_another_ledger_tells_is_kept_once_and_moves_nothing(store):
    repository = store.repository("docker.io/library/golftrack")
    elsewhere = MemoryRegistry(actor="ana@build").repository("golftrack")
    first, second = image(elsewhere), image(elsewhere, {"etc/motd": b"fixed"})
    for each in (first, second):
        elsewhere.tag(Tag("1.5"), each)
    told = list(elsewhere.history())[::-1]
    assert repository.recall(told, "archive") == 2
    assert repository.recall(told, "archive") == 0
    kept = list(repository.history(Tag("1.5"), "archive"))
    assert [(m.to.digest, m.cause.actor, m.cause.authoritative) for m in kept] == [
        (second.digest, "ana@build", False),
        (first.digest, "ana@build", False),
    ]
    assert [m.time for m in kept] == [m.time for m in reversed(told)]
    assert list(repository.tags()) == []
    assert list(store.verify()) == []
