"""The ledger of a served registry, as its clients see it; and registries that have none."""

import pytest

import images
from contract.tools import at_once, blob
from killick.errors import Conflict, ManifestUnknown, NotFound, TagUnknown, Unsupported
from killick.manifest import OCI_MANIFEST
from killick.names import Tag
from killick.repository import Historic, Ledger, Swappable

TAG = Tag("1.5")
PATH = "team/golftrack"


@pytest.fixture
def builds(repository):
    """Return three different images, none of them tagged."""
    return [images.image(repository, {"build": bytes([n])}) for n in range(3)]


@pytest.fixture
def ledger(place):
    return place.registry.ledger(place.prefix + PATH)


@pytest.mark.parametrize("place", ["remote"], indirect=True)
class TestServedStore:
    def test_it_has_the_roles_and_is_none_of_ours(self, place, repository, ledger):
        assert isinstance(ledger, Historic)
        assert isinstance(ledger, Swappable)
        assert not isinstance(ledger, Ledger)
        assert not isinstance(repository, Historic)
        assert isinstance(place.registry.history(place.prefix + PATH), Historic)

    def test_moves_are_told_as_the_registry_recorded_them(self, place, repository, builds, ledger):
        for d in builds:
            repository.tag(TAG, d)
        repository.untag(TAG)
        moves = list(ledger.history(TAG))
        assert [m.to for m in moves] == [None, *builds[::-1]]
        assert [m.previous for m in moves] == [d.digest for d in builds[::-1]] + [None]
        assert [m.cause.kind for m in moves] == ["deleted", "pushed", "pushed", "pushed"]
        for move in moves:
            assert move.cause.authoritative
            assert move.cause.actor == "anonymous@127.0.0.1"
            assert move.cause.origin == place.registry.domain
            assert move.repository == f"{place.registry.domain}/{place.prefix}{PATH}"
        assert list(ledger.history()) == moves

    def test_a_long_history_comes_in_pages(self, repository, builds, ledger):
        for n in range(1100):
            repository.tag(TAG, builds[n % 2])
        assert [m.sequence for m in ledger.history(TAG)] == list(range(1100, 0, -1))

    def test_nothing_is_told_of_what_never_was(self, ledger):
        assert list(ledger.history()) == list(ledger.history(TAG)) == []

    def test_a_tag_moves_from_where_it_was_expected(self, repository, builds, ledger):
        first, second, third = builds
        ledger.swap(TAG, first, None)
        ledger.swap(TAG, second, first.digest)
        for stale in (first.digest, None):
            with pytest.raises(Conflict, match=str(second.digest)):
                ledger.swap(TAG, third, stale)
            with pytest.raises(Conflict, match=str(second.digest)):
                ledger.swap(TAG, None, stale)
        ledger.swap(TAG, None, second.digest)
        with pytest.raises(NotFound):
            repository.resolve(TAG)

    def test_of_eight_compare_and_swaps_one_wins(self, repository, builds, ledger):
        repository.tag(TAG, builds[0])
        candidates = [images.image(repository, {"n": bytes([n]) * 2}) for n in range(8)]
        errors = at_once(*[lambda d=d: ledger.swap(TAG, d, builds[0].digest) for d in candidates])
        assert len(errors) == 7
        assert all(isinstance(error, Conflict) for error in errors)
        assert len(list(ledger.history(TAG))) == 2

    def test_a_tag_goes_back_to_where_it_was(self, repository, builds, ledger):
        first, second, never = builds
        repository.tag(TAG, first)
        repository.tag(TAG, second)
        with pytest.raises(Conflict, match=str(second.digest)):
            ledger.roll_back(TAG, first.digest, first.digest)
        ledger.roll_back(TAG, first.digest, second.digest)
        assert repository.resolve(TAG) == first
        assert next(ledger.history(TAG)).cause.kind == "rolled-back"
        for absent in (never, blob(b"absent", media_type=OCI_MANIFEST)):
            with pytest.raises(ManifestUnknown):
                ledger.roll_back(TAG, absent.digest, first.digest)

    def test_a_deleted_tag_comes_back(self, repository, builds, ledger):
        repository.tag(TAG, builds[0])
        repository.untag(TAG)
        with pytest.raises((Conflict, TagUnknown)):
            ledger.roll_back(TAG, builds[0].digest, builds[1].digest)
        ledger.roll_back(TAG, builds[0].digest, None)
        assert repository.resolve(TAG) == builds[0]

    def test_content_that_was_deleted_stays_in_the_history(self, repository, builds, ledger):
        repository.tag(TAG, builds[0])
        repository.tag(TAG, builds[1])
        repository.delete(builds[0])
        with pytest.raises(ManifestUnknown):
            ledger.roll_back(TAG, builds[0].digest, builds[1].digest)
        assert [m.to for m in ledger.history(TAG)] == [builds[1], builds[0]]


@pytest.mark.parametrize("place", ["relay"], indirect=True)
def test_what_keeps_no_ledger_does_not_announce_one(place):
    for ask in (place.registry.ledger, place.registry.history):
        with pytest.raises(Unsupported, match="does not announce"):
            ask(place.prefix + PATH)
