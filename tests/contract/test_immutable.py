"""Tags that a rule keeps where they are, over everything that keeps a ledger itself."""

import threading

import pytest

import images
from killick.errors import Conflict, Immutable, TagUnknown
from killick.manifest import MOST_DOCUMENT_BYTES, parse_document
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import ANYTHING, Cause
from killick.rules import Immutable as Rule
from killick.rules import Policy
from killick.store import Store
from killick.transfer import fetch_bytes
from stores import Clock

RELEASE, MOVING = Tag("1.5.0"), Tag("1.5")
PUSHED = Cause("pushed", "mate@deck")
FORCED = Cause("pushed", "admiral@deck", overriding=True)
POLICY = Policy((Rule("team/**", "semver"),))


@pytest.fixture(params=["memory", "store"])
def registry(request, tmp_path):
    if request.param == "memory":
        yield MemoryRegistry(clock=Clock(), policy=POLICY)
    else:
        with Store(tmp_path / "store", clock=Clock(), policy=POLICY) as store:
            yield store


@pytest.fixture
def repository(registry):
    return registry.repository("team/app")


@pytest.fixture
def builds(repository):
    return [images.image(repository, {"n": bytes([n])}) for n in range(3)]


def document_of(repository, d):
    return parse_document(fetch_bytes(repository, d, MOST_DOCUMENT_BYTES))


def told(repository, tag=RELEASE):
    return [(m.change, m.cause.overriding) for m in repository.history(tag)]


def test_an_immutable_tag_is_made_once_and_stays(repository, builds):
    repository.move(RELEASE, builds[0], PUSHED)
    with pytest.raises(Immutable) as refused:
        repository.move(RELEASE, builds[1], PUSHED)
    assert refused.value.detail == {
        "repository": "team/app",
        "tag": RELEASE,
        "digest": str(builds[0].digest),
        "since": "2026-11-01T12:00:00.000000Z",
        "actor": "mate@deck",
        "rule": "semver in team/**",
    }
    assert str(builds[0].digest) in refused.value.message
    assert "since 2026-11-01T12:00:00Z, by mate@deck" in refused.value.message
    assert repository.resolve(RELEASE).digest == builds[0].digest
    assert told(repository) == [("create", False)]


def test_pushing_the_same_again_is_no_move(repository, builds):
    repository.move(RELEASE, builds[0], PUSHED)
    assert repository.move(RELEASE, builds[0], PUSHED) is None


def test_other_tags_and_other_repositories_move(registry, repository, builds):
    other = registry.repository("other")
    for place in (repository, other):
        ones = [images.image(place, {"n": bytes([n])}) for n in range(2)]
        tag = MOVING if place is repository else RELEASE
        for d in ones:
            place.move(tag, d, PUSHED)
        assert place.resolve(tag).digest == ones[1].digest


@pytest.mark.parametrize("kind", ["deleted", "rolled-back", "tagged", "loaded", "imported"])
def test_no_other_way_leads_around_it(repository, builds, kind):
    repository.move(RELEASE, builds[0], PUSHED)
    to = None if kind == "deleted" else builds[1]
    with pytest.raises(Immutable):
        repository.move(RELEASE, to, Cause(kind, "mate@deck"))
    with pytest.raises(Immutable):
        repository.tag(RELEASE, builds[1])
    with pytest.raises(Immutable):
        repository.untag(RELEASE)
    assert repository.resolve(RELEASE).digest == builds[0].digest


def test_who_overrides_the_rule_is_on_record(repository, builds):
    repository.move(RELEASE, builds[0], PUSHED)
    move = repository.move(RELEASE, builds[1], FORCED)
    assert (move.change, move.cause.overriding) == ("overwrite", True)
    with pytest.raises(Immutable):
        repository.move(RELEASE, builds[0], PUSHED)
    assert told(repository) == [("overwrite", True), ("create", False)]


def test_what_needs_no_overriding_is_not_said_to_have_overridden(repository, builds):
    assert not repository.move(RELEASE, builds[0], FORCED).cause.overriding
    assert not repository.move(MOVING, builds[0], FORCED).cause.overriding


def test_a_deleted_tag_only_comes_back_as_what_it_was(repository, builds):
    repository.move(RELEASE, builds[0], PUSHED)
    repository.move(RELEASE, None, Cause("deleted", "admiral@deck", overriding=True))
    with pytest.raises(TagUnknown):
        repository.resolve(RELEASE)
    with pytest.raises(Immutable, match="was removed, and only comes back as"):
        repository.move(RELEASE, builds[1], PUSHED)
    assert repository.move(RELEASE, builds[0], PUSHED).change == "create"


@pytest.mark.parametrize("part", ["manifest", "layer", "the platform's manifest"])
def test_the_content_of_an_immutable_tag_is_not_deleted_either(repository, part):
    root = images.multi_platform(repository)
    repository.move(RELEASE, root, PUSHED)
    child = next(iter(document_of(repository, root).children()))
    layer = repository.find(document_of(repository, child).children()[1].digest)
    d = {"manifest": root, "layer": layer}.get(part, child)
    with pytest.raises(Immutable):
        repository.delete(d, Cause("deleted", "mate@deck"))
    assert repository.complete(root)
    repository.delete(d, Cause("deleted", "admiral@deck", overriding=True))
    assert not repository.complete(root)


def test_what_refers_to_an_immutable_image_can_be_deleted(repository, builds):
    repository.move(RELEASE, builds[0], PUSHED)
    signature = images.artifact(repository, builds[0])
    repository.delete(signature, Cause("deleted", "mate@deck"))
    assert not list(repository.referrers(builds[0].digest))


def test_what_was_observed_elsewhere_is_not_ours_to_refuse(repository, builds):
    for d in builds:
        repository.move(RELEASE, d, Cause("observed", "me@here", "registry.example", False))
    assert len(list(repository.history(RELEASE, "registry.example"))) == 3


def test_of_many_who_make_an_immutable_tag_one_wins(repository, builds):
    outcomes, ready = [], threading.Barrier(6)

    def make(n):
        ready.wait()
        try:
            repository.move(RELEASE, builds[n % 3], PUSHED)
            outcomes.append(n % 3)
        except Immutable:
            pass

    threads = [threading.Thread(target=make, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(outcomes)) == 1
    assert repository.resolve(RELEASE).digest == builds[outcomes[0]].digest
    assert told(repository) == [("create", False)]


def test_several_tags_move_together_or_not_at_all(repository, builds):
    for tag in (MOVING, RELEASE):
        repository.move(tag, builds[0], PUSHED)
    before, head = list(repository.history()), repository.head()
    new = Tag("new")
    with pytest.raises(Immutable):
        repository.move_all(dict.fromkeys((MOVING, new, RELEASE), ANYTHING), builds[1], PUSHED)
    with pytest.raises(Conflict):
        repository.move_all({new: None, MOVING: builds[1].digest}, builds[1], PUSHED)
    assert list(repository.history()) == before
    assert repository.head() == head
    assert list(repository.tags()) == [MOVING, RELEASE]
    expected = {new: None, MOVING: builds[0].digest, RELEASE: ANYTHING}
    made = repository.move_all(expected, builds[1], FORCED)
    assert [(m.tag, m.change, m.sequence) for m in made] == [
        (new, "create", 3),
        (MOVING, "overwrite", 4),
        (RELEASE, "overwrite", 5),
    ]
    assert repository.move_all({new: ANYTHING}, builds[1], PUSHED) == [None]


def test_of_many_who_move_the_same_tags_one_wins_all(repository, builds):
    tags = [Tag(f"t{n}") for n in range(5)]
    won = []

    def push(d):
        try:
            repository.move_all(dict.fromkeys(tags), d, PUSHED)
            won.append(d)
        except Conflict:
            pass

    threads = [threading.Thread(target=push, args=(d,)) for d in builds * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert {repository.resolve(tag).digest for tag in tags} == {winner.digest}
    assert len(list(repository.history())) == len(tags)
