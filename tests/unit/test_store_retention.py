"""What rules let go of: history by age and count, tags that nobody moved; and what they keep."""

from datetime import timedelta

import pytest

from images import artifact, image
from killick.errors import StoreReadOnly, TagUnknown
from killick.names import Tag
from killick.repository import Cause
from killick.rules import Immutable, Policy, Retention
from killick.store import Store

NAME = "team/app"
TAG = Tag("nightly")
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path, clock):
    policy = Policy((Immutable("**", "v*"),), sparse=True)
    with Store(tmp_path / "store", clock=clock, retention=None, policy=policy) as opened:
        yield opened


@pytest.fixture
def repository(store):
    return store.repository(NAME)


@pytest.fixture
def builds(repository, clock):
    """Five images that `nightly` pointed to, ten days after each other; the last since ten days."""
    made = [image(repository, {"n": bytes([n])}) for n in range(5)]
    for d in made:
        repository.move(TAG, d, Cause("pushed", "mate@deck"))
        clock.forward(days=10)
    return made


def retained(store, *rules):
    """Let go by the rules; return what went, as a rehearsal had said before."""
    said = list(store.retain(rules, dry_run=True))
    assert said == list(store.retain(rules))
    assert list(store.retain(rules)) == []
    return said


def collected(store, clock):
    """Collect what is garbage by now; return the digests."""
    store.collect()
    clock.forward(hours=1)
    return {d.digest for d in store.collect().removed}


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ({"history_older_than": 15 * DAY}, [2, 1, 0]),
        ({"history_older_than": 35 * DAY}, [0]),
        ({"history_keep_last": 3}, [0]),
        ({"history_keep_last": 0}, [3, 2, 1, 0]),
        ({"history_older_than": 15 * DAY, "history_keep_last": 3}, [0]),
        ({"history_older_than": 35 * DAY, "history_keep_last": 1}, [0]),
        ({"history_older_than": 100 * DAY, "history_keep_last": 1}, []),
        ({}, []),
    ],
)
def test_history_goes_by_age_and_by_count(store, repository, builds, clock, rule, gone):
    found = retained(store, Retention("nightlies", "team/**", "night*", **rule))
    assert [r.digest for r in found] == [builds[n].digest for n in gone]
    assert {(r.what, r.repository, r.tag) for r in found} <= {("history", NAME, TAG)}
    manifests = collected(store, clock) & {d.digest for d in builds}
    assert manifests == {builds[n].digest for n in gone}
    assert repository.resolve(TAG) == builds[4]
    assert len(list(repository.history(TAG))) == 5
    left = repository.presence([d.digest for d in builds])
    assert [left[d.digest] for d in builds] == [
        "removed" if n in gone else "present" for n in range(5)
    ]
    assert [f for f in store.verify() if f.damage] == []


def test_a_rehearsal_says_what_the_collection_would_find(store, builds):
    rule = Retention("all", history_keep_last=1)
    before = store.collect(dry_run=True)
    assert before.count == 0
    letting = list(store.retain([rule], dry_run=True))
    assert [r.why for r in letting] == ["rule all: not among the last 1"] * 3
    store.collect()
    # Stamps are given by a real collection only, and so the lease is not over for anything.
    assert store.collect(dry_run=True, letting=letting).count == 0


def test_other_tags_and_repositories_are_not_touched(store, repository, builds, clock):
    other = store.repository("other/app")
    for n in range(3):
        other.tag(TAG, image(other, {"n": bytes([n])}))
        repository.tag(Tag("stable"), builds[n])
        clock.forward(days=1)
    found = retained(store, Retention("nightlies", "team/*", "nightly", history_keep_last=0))
    assert {(r.repository, r.tag) for r in found} == {(NAME, TAG)}
    collected(store, clock)
    assert all(repository.has(d) for d in builds[:3])  # they are the past of another tag
    assert not repository.has(builds[3])


def test_the_first_rule_that_covers_a_tag_decides(store, builds):
    keep = Retention("keep nightlies", tags="night*")
    sweep = Retention("sweep", history_keep_last=0)
    assert retained(store, keep, sweep) == []
    assert len(retained(store, sweep, keep)) == 4


def test_what_a_tag_points_to_now_is_no_past_of_it(store, repository, builds):
    repository.move(TAG, builds[0], Cause("rolled-back", "mate@deck"))
    found = retained(store, Retention("all", history_keep_last=0))
    assert builds[0].digest not in {r.digest for r in found}
    repository.move(TAG, builds[4], Cause("pushed", "mate@deck"))
    (only,) = retained(store, Retention("all", history_keep_last=0))
    assert only.digest == builds[0].digest


@pytest.mark.parametrize("keep", [True, False])
def test_what_something_refers_to_stays_unless_the_rule_says_otherwise(
    store, repository, builds, clock, keep
):
    signature = artifact(repository, builds[0])
    found = retained(store, Retention("all", history_keep_last=0, keep_referenced=keep))
    assert (builds[0].digest in {r.digest for r in found}) == (not keep)
    gone = collected(store, clock)
    assert (signature.digest in gone) == (not keep)


def tagged(repository, clock, *names):
    for name in names:
        repository.move(Tag(name), image(repository, {"t": name.encode()}), Cause("pushed", "m@d"))
        clock.forward(days=10)


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ({"tags_older_than": 15 * DAY}, ["b1", "b2", "b3"]),
        ({"tags_keep_last": 1}, ["b1", "b2", "b3"]),
        ({"tags_keep_last": 0}, ["b1", "b2", "b3", "b4"]),
        ({"tags_keep_last": 3, "tags_older_than": 15 * DAY}, ["b1"]),
        ({"tags_keep_last": 1, "tags_older_than": 45 * DAY}, ["b1"]),
    ],
)
def test_tags_that_nobody_moved_are_deleted_by_the_rule(store, repository, clock, rule, gone):
    tagged(repository, clock, "b1", "b2", "main", "b3", "b4")
    found = retained(store, Retention("branches", "**", "b*", **rule))
    assert [r.tag for r in found] == gone
    assert {r.what for r in found} == {"tag"}
    for tag in gone:
        newest = next(repository.history(Tag(tag)))
        assert (newest.to, newest.cause.kind) == (None, "deleted")
        assert newest.cause.actor == "rule branches"
        with pytest.raises(TagUnknown):
            repository.resolve(Tag(tag))
    assert "main" in list(repository.tags())
    # The tag is gone, and its past begins: only a rule about history lets go of that.
    assert collected(store, clock) == set()


def test_immutable_tags_are_not_deleted_by_rules(store, repository, clock):
    tagged(repository, clock, "v1", "x1")
    found = retained(store, Retention("all", tags_keep_last=0))
    assert [r.tag for r in found] == ["x1"]


def test_a_tag_that_moved_meanwhile_is_left_alone(store, repository, clock):
    tagged(repository, clock, *[f"b{n}" for n in range(3)])
    moved = image(repository, {"t": b"fresh"})

    def stop():
        repository.move(Tag("b1"), moved, Cause("pushed", "mate@deck"))
        return False

    found = list(store.retain([Retention("all", tags_older_than=5 * DAY)], stop=stop))
    assert [r.tag for r in found] == ["b0", "b2"]
    assert repository.resolve(Tag("b1")) == moved


def test_it_can_be_stopped_and_goes_on_later(store, builds):
    rule = Retention("all", history_keep_last=0)
    assert list(store.retain([rule], stop=lambda: True)) == []
    assert len(list(store.retain([rule]))) == 4


def test_a_store_that_is_read_only_lets_go_of_nothing(store, builds):
    with Store(store.root, read_only=True, retention=None) as reading:
        rule = Retention("all", history_keep_last=0)
        assert len(list(reading.retain([rule], dry_run=True))) == 4
        with pytest.raises(StoreReadOnly):
            list(reading.retain([rule]))


def test_what_was_observed_elsewhere_is_not_governed_by_rules(store, repository, builds):
    for d in builds:
        repository.move(Tag("seen"), d, Cause("observed", "m@d", "registry.example", False))
    found = retained(store, Retention("all", tags="seen", history_keep_last=0))
    assert found == []
