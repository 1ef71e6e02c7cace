"""Tags: names that point to manifests, one at a time."""

from contextlib import suppress

import pytest

import images
from contract.tools import at_once, blob, put, read
from killick.digest import Digest
from killick.errors import ManifestUnknown, NameUnknown, TagUnknown
from killick.manifest import OCI_MANIFEST
from killick.names import Tag


def test_a_tag_points_to_what_it_was_given(repository):
    d = images.image(repository)
    repository.tag(Tag("1.5"), d)
    assert repository.resolve(Tag("1.5")) == d
    assert repository.resolve(d.digest) == d


def test_a_tag_moves_and_what_it_pointed_to_stays(repository):
    old, new = (images.image(repository, {"v": v}) for v in (b"old", b"new"))
    repository.tag(Tag("1.5"), old)
    repository.tag(Tag("1.5"), new)
    assert repository.resolve(Tag("1.5")) == new
    assert repository.resolve(old.digest) == old
    assert read(repository, old)


def test_tagging_the_same_again_changes_nothing(repository):
    d = images.image(repository)
    repository.tag(Tag("1.5"), d)
    repository.tag(Tag("1.5"), d)
    assert list(repository.tags()) == ["1.5"]


def test_many_tags_may_point_to_one_image(repository):
    d = images.image(repository)
    for name in ("a", "b"):
        repository.tag(Tag(name), d)
    repository.untag(Tag("a"))
    assert repository.resolve(Tag("b")) == d


def test_tags_come_in_ascii_order(repository):
    d = images.image(repository)
    names = ["b", "a", "B", "_x", "10", "9", "a-1", "a.1", "latest"]
    for name in names:
        repository.tag(Tag(name), d)
    found = list(repository.tags())
    assert found == sorted(names)
    assert all(isinstance(tag, Tag) for tag in found)
    for after in ("a", "a-", "A", "z", "latest"):
        assert list(repository.tags(after)) == [name for name in sorted(names) if name > after]


def test_the_longest_tag(repository):
    d = images.image(repository)
    longest = Tag("t" * 128)
    repository.tag(longest, d)
    assert repository.resolve(longest) == d


def test_an_empty_repository_has_no_tags(repository):
    with suppress(NameUnknown):
        assert list(repository.tags()) == []


def test_what_was_never_tagged_is_unknown(repository):
    images.image(repository)
    with pytest.raises(TagUnknown):
        repository.resolve(Tag("1.5"))
    with pytest.raises(ManifestUnknown):
        repository.resolve(Digest.of(b"nothing"))


def test_in_a_repository_that_does_not_exist_nothing_is_found(place):
    nowhere = place.repository("no/where")
    with pytest.raises((TagUnknown, NameUnknown)):
        nowhere.resolve(Tag("1.5"))
    with pytest.raises((ManifestUnknown, NameUnknown)):
        nowhere.resolve(Digest.of(b"nothing"))


def test_a_tag_cannot_point_to_what_is_not_there(repository):
    images.image(repository)
    with pytest.raises(ManifestUnknown):
        repository.tag(Tag("1.5"), blob(b"absent", media_type=OCI_MANIFEST))
    with pytest.raises(TagUnknown):
        repository.resolve(Tag("1.5"))


def test_untagging_removes_the_name_and_no_content(repository):
    d = images.image(repository)
    repository.tag(Tag("1.5"), d)
    repository.tag(Tag("1.6"), d)
    repository.untag(Tag("1.5"))
    with pytest.raises(TagUnknown):
        repository.resolve(Tag("1.5"))
    assert list(repository.tags()) == ["1.6"]
    repository.untag(Tag("1.6"))
    assert repository.resolve(d.digest) == d


def test_untagging_what_has_no_tag(repository):
    images.image(repository)
    with pytest.raises(TagUnknown):
        repository.untag(Tag("1.5"))


def test_an_index_is_tagged_like_an_image(repository):
    d = images.multi_platform(repository)
    repository.tag(Tag("multi"), d)
    assert repository.resolve(Tag("multi")) == d


def test_docker_media_types_stay(repository):
    d = images.image(repository, docker=True)
    both = images.index(repository, [(d, images.AMD64)], docker=True)
    repository.tag(Tag("docker"), both)
    assert repository.resolve(Tag("docker")) == both
    assert repository.resolve(d.digest) == d


def test_repositories_have_tags_of_their_own(place):
    for path, text in (("team/a", b"a"), ("team/b", b"b")):
        repository = place.repository(path)
        repository.tag(Tag(path[-1]), images.image(repository, {"x": text}))
    assert list(place.repository("team/a").tags()) == ["a"]
    assert list(place.repository("team/b").tags()) == ["b"]


def test_repositories_are_listed_in_ascii_order(place):
    for path in ("team/b", "team/a", "team/a/sub"):
        repository = place.repository(path)
        repository.tag(Tag("1"), images.image(repository))
    assert place.names() == ["team/a", "team/a/sub", "team/b"]
    assert place.names("team/a") == ["team/a/sub", "team/b"]
    assert place.names("team/a/t") == ["team/b"]
    assert place.names("team/c") == []


def test_eight_threads_move_one_tag(repository):
    candidates = [images.image(repository, {"n": bytes([n])}) for n in range(8)]
    moves = [lambda d=d: repository.tag(Tag("1.5"), d) for d in candidates]
    assert not at_once(*moves)
    assert repository.resolve(Tag("1.5")) in candidates
    assert list(repository.tags()) == ["1.5"]


def test_eight_threads_set_eight_tags(repository):
    d = images.image(repository)
    assert not at_once(*[lambda n=n: repository.tag(Tag(f"t{n}"), d) for n in range(8)])
    assert list(repository.tags()) == [f"t{n}" for n in range(8)]


def test_a_tag_points_to_a_manifest_by_its_sha512(repository):
    content = read(repository, images.image(repository))
    d = put(repository, content, algorithm="sha512", media_type=OCI_MANIFEST)
    repository.tag(Tag("long"), d)
    assert repository.resolve(Tag("long")) == d
