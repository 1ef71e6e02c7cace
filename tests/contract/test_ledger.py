"""Ledger: every move of a tag is recorded, and can be made to depend on what stands."""

from itertools import pairwise

import pytest

import images
from contract.implementations import having
from contract.tools import at_once, blob
from killick import travel
from killick.errors import Conflict, ManifestUnknown, TagUnknown
from killick.manifest import OCI_MANIFEST
from killick.moments import utc_now
from killick.names import Reference, Tag
from killick.repository import LOCAL, Cause, Ledger

pytestmark = pytest.mark.parametrize("place", having(Ledger), indirect=True)

TAG = Tag("1.5")
PUSHED = Cause("pushed", "mate@deck")


@pytest.fixture
def ledger(repository):
    return repository


@pytest.fixture
def builds(ledger):
    """Return three different images."""
    return [images.image(ledger, {"build": bytes([n])}) for n in range(3)]


def test_a_new_tag_has_no_history(ledger):
    assert list(ledger.history(TAG)) == []


def test_moves_are_told_newest_first_with_what_was_there_before(ledger, builds):
    for d in builds:
        ledger.move(TAG, d, PUSHED)
    moves = list(ledger.history(TAG))
    assert [m.to for m in moves] == builds[::-1]
    assert [m.previous for m in moves] == [builds[1].digest, builds[0].digest, None]
    assert all((m.tag, m.cause) == (TAG, PUSHED) for m in moves)
    assert [m.sequence for m in moves] == sorted((m.sequence for m in moves), reverse=True)
    assert all(m.time.utcoffset().total_seconds() == 0 for m in moves)


def test_a_move_is_returned_as_recorded(ledger, builds):
    move = ledger.move(TAG, builds[0], PUSHED)
    assert move == next(ledger.history(TAG))


def test_a_move_to_where_the_tag_stands_is_none_and_not_recorded(ledger, builds):
    ledger.move(TAG, builds[0], PUSHED)
    assert ledger.move(TAG, builds[0], PUSHED) is None
    assert len(list(ledger.history(TAG))) == 1


@pytest.mark.parametrize(
    "kind", ["pushed", "pulled", "tagged", "loaded", "observed", "imported", "rolled-back"]
)
def test_every_kind_of_move_is_kept(ledger, builds, kind):
    cause = Cause(kind, "someone@somewhere")
    ledger.move(TAG, builds[0], cause)
    assert next(ledger.history(TAG)).cause == cause


def test_plain_tagging_is_recorded_too(ledger, builds):
    ledger.tag(TAG, builds[0])
    ledger.untag(TAG)
    assert [m.cause.kind for m in ledger.history(TAG)] == ["deleted", "tagged"]


def test_removing_a_tag_lengthens_its_history(ledger, builds):
    ledger.move(TAG, builds[0], PUSHED)
    ledger.move(TAG, None, Cause("deleted", "mate@deck"))
    with pytest.raises(TagUnknown):
        ledger.resolve(TAG)
    last, first = ledger.history(TAG)
    assert (last.to, last.previous) == (None, builds[0].digest)
    assert first.to == builds[0]


def test_removing_what_is_not_there(ledger, builds):
    with pytest.raises(TagUnknown):
        ledger.move(TAG, None, Cause("deleted", "mate@deck"))
    assert list(ledger.history(TAG)) == []


def test_a_tag_cannot_move_to_what_is_not_there(ledger, builds):
    with pytest.raises(ManifestUnknown):
        ledger.move(TAG, blob(b"absent", media_type=OCI_MANIFEST), PUSHED)
    assert list(ledger.history(TAG)) == []


def test_a_move_may_demand_what_stands(ledger, builds):
    first, second, third = builds
    ledger.move(TAG, first, PUSHED, None)
    ledger.move(TAG, second, PUSHED, first.digest)
    with pytest.raises(Conflict):
        ledger.move(TAG, third, PUSHED, first.digest)
    with pytest.raises(Conflict):
        ledger.move(TAG, third, PUSHED, None)
    assert ledger.resolve(TAG) == second
    assert len(list(ledger.history(TAG))) == 2


def test_a_demand_on_a_tag_that_does_not_exist(ledger, builds):
    with pytest.raises(Conflict):
        ledger.move(TAG, builds[0], PUSHED, builds[1].digest)
    with pytest.raises(TagUnknown):
        ledger.resolve(TAG)


def test_the_history_of_all_tags_is_one_sequence(ledger, builds):
    for n, d in enumerate(builds):
        ledger.move(Tag(f"t{n}"), d, PUSHED)
    moves = list(ledger.history())
    assert [m.tag for m in moves] == ["t2", "t1", "t0"]
    assert len({m.sequence for m in moves}) == 3


def test_history_can_be_taken_up_again_where_one_was(ledger, builds):
    for d in builds:
        ledger.move(TAG, d, PUSHED)
        ledger.move(Tag("other"), d, PUSHED)
    for tag in (TAG, None):
        moves = list(ledger.history(tag))
        assert list(ledger.history(tag, LOCAL, moves[0].sequence)) == moves[1:]
        assert list(ledger.history(tag, LOCAL, moves[-1].sequence)) == []
    assert list(ledger.history(TAG, LOCAL, 10**30)) == list(ledger.history(TAG))


def test_when_which_tags_pointed_to_a_manifest(ledger, builds):
    first, second, third = builds
    moves = ((TAG, first), (TAG, second), ("other", second), (TAG, third), ("other", None))
    for tag, d in (*moves, (TAG, second), ("third", second)):
        ledger.move(Tag(tag), d, PUSHED)
    seen = Cause("observed", "mate@deck", origin="registry.example", authoritative=False)
    ledger.move(TAG, second, seen)
    held = list(ledger.holding(second.digest))
    assert [(m.tag, m.sequence, ended and ended.sequence) for m, ended in held] == [
        ("third", 7, None),
        (TAG, 6, None),
        ("other", 3, 5),
        (TAG, 2, 4),
    ]
    assert {m.to for m, _ in held} == {second}
    assert [ended.to for _, ended in held[2:]] == [None, third]
    assert list(ledger.holding(second.digest, 6)) == held[2:]
    assert list(ledger.holding(second.digest, 2)) == []
    assert list(ledger.holding(blob(b"absent").digest)) == []


def test_the_moves_that_tags_stand_by(ledger, builds):
    for tag, d in (("b", builds[0]), ("a", builds[0]), ("b", builds[1]), ("c", builds[2])):
        ledger.move(Tag(tag), d, PUSHED)
    ledger.move(Tag("c"), None, PUSHED)
    ledger.move(Tag("z"), builds[0], Cause("observed", "x", "registry.example", False))
    assert [(m.tag, m.to) for m in ledger.standing()] == [("a", builds[0]), ("b", builds[1])]
    assert [m.tag for m in ledger.standing(Tag("a"))] == ["b"]
    assert list(ledger.standing(Tag("b"))) == []


def test_a_deleted_manifest_takes_its_tags_along_by_whoever_ordered_it(ledger, builds):
    ledger.move(TAG, builds[0], PUSHED)
    ledger.delete(builds[0], Cause("deleted", "bosun@deck"))
    assert next(ledger.history(TAG)).cause == Cause("deleted", "bosun@deck")


def test_observed_series_never_move_a_local_name(ledger, builds):
    seen = Cause("observed", "mate@deck", origin="registry.example", authoritative=False)
    ledger.move(TAG, builds[0], PUSHED)
    ledger.move(TAG, builds[1], seen)
    assert ledger.resolve(TAG) == builds[0]
    assert [m.to for m in ledger.history(TAG)] == [builds[0]]
    assert [m.cause for m in ledger.history(TAG, "registry.example")] == [seen]
    assert list(ledger.tags()) == [TAG]


def test_what_was_seen_elsewhere_need_not_be_here(ledger, builds):
    seen = Cause("observed", "mate@deck", origin="registry.example", authoritative=False)
    absent = blob(b"absent", media_type=OCI_MANIFEST)
    ledger.move(TAG, absent, seen)
    assert next(ledger.history(TAG, "registry.example")).to == absent


def test_repositories_keep_ledgers_of_their_own(place, ledger, builds):
    sister = place.repository("team/sister")
    sister.tag(TAG, images.image(sister))
    ledger.move(TAG, builds[0], PUSHED)
    assert len(list(ledger.history(TAG))) == len(list(sister.history(TAG))) == 1
    assert next(sister.history(TAG)).repository != next(ledger.history(TAG)).repository


def test_time_travel_reads_the_ledger(ledger, builds):
    for d in builds:
        ledger.move(TAG, d, PUSHED)
    for n, d in enumerate(reversed(builds)):
        reference = Reference.parse(f"golftrack:1.5~{n}")
        assert travel.resolve(ledger, reference, utc_now(), LOCAL) == d
    then = next(m.time for m in ledger.history(TAG) if m.to == builds[1])
    reference = Reference.parse(f"golftrack:1.5@{{{then.isoformat()}}}")
    assert travel.resolve(ledger, reference, utc_now(), LOCAL) == builds[1]


def test_of_eight_compare_and_swaps_one_wins(ledger, builds):
    ledger.move(TAG, builds[0], PUSHED)
    candidates = [images.image(ledger, {"n": bytes([n]) * 2}) for n in range(8)]
    moves = [lambda d=d: ledger.move(TAG, d, PUSHED, builds[0].digest) for d in candidates]
    errors = at_once(*moves)
    assert len(errors) == 7
    assert all(isinstance(error, Conflict) for error in errors)
    assert len(list(ledger.history(TAG))) == 2


def test_eight_threads_move_one_tag_and_each_move_is_recorded_once(ledger):
    candidates = [images.image(ledger, {"n": bytes([n])}) for n in range(8)]
    assert not at_once(*[lambda d=d: ledger.move(TAG, d, PUSHED) for d in candidates])
    moves = list(ledger.history(TAG))
    assert {m.to for m in moves} == set(candidates)
    assert ledger.resolve(TAG) == moves[0].to
    for later, earlier in pairwise(moves):
        assert later.previous == earlier.to.digest
    assert moves[-1].previous is None
