"""Time travel: what a reference meant, by the ledger."""

from datetime import UTC, datetime, timedelta

import pytest

import images
from killick import travel
from killick.errors import ManifestUnknown, TagUnknown, Unsupported
from killick.layout import Layout
from killick.memory import MemoryRegistry
from killick.names import Reference, Tag
from killick.repository import Cause

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)
TAG = Tag("1.5")
BY = Cause("pushed", "mate@deck")


class Clock:
    """A clock that goes a day further each time it is looked at."""

    def __init__(self):
        self.now = START - timedelta(days=1)

    def __call__(self):
        self.now += timedelta(days=1)
        return self.now


@pytest.fixture
def repository():
    return MemoryRegistry(clock=Clock()).repository("golftrack")


@pytest.fixture
def builds(repository):
    return [images.image(repository, {"build": bytes([n])}) for n in range(3)]


def go(repository, text):
    return travel.resolve(repository, Reference.parse(text), NOW)


def test_the_present(repository, builds):
    repository.move(TAG, builds[0], BY)
    assert go(repository, "golftrack:1.5") == builds[0]
    assert go(repository, f"golftrack@{builds[2].digest}") == builds[2]
    # the digest decides, whatever the tag points to
    assert go(repository, f"golftrack:1.5@{builds[1].digest}") == builds[1]


def test_no_tag_is_latest(repository, builds):
    repository.move(Tag("latest"), builds[1], BY)
    assert go(repository, "golftrack") == builds[1]
    assert go(repository, "golftrack~0") == builds[1]


def test_steps_back_count_distinct_digests(repository, builds):
    a, b, c = builds
    for d in (a, b, a, c, a):
        repository.move(TAG, d, BY)
    assert go(repository, "golftrack:1.5~0") == a
    assert go(repository, "golftrack:1.5~1") == c
    assert go(repository, "golftrack:1.5~2") == b
    with pytest.raises(TagUnknown):
        go(repository, "golftrack:1.5~3")


def test_a_removed_tag_points_to_nothing_now_and_to_its_last_before(repository, builds):
    for d in (builds[0], builds[1], None):
        repository.move(TAG, d, BY)
    with pytest.raises(TagUnknown):
        go(repository, "golftrack:1.5~0")
    assert go(repository, "golftrack:1.5~1") == builds[1]
    assert go(repository, "golftrack:1.5~2") == builds[0]


def test_a_removed_tag_that_came_back(repository, builds):
    for d in (builds[0], None, builds[0], builds[1]):
        repository.move(TAG, d, BY)
    assert go(repository, "golftrack:1.5~1") == builds[0]
    with pytest.raises(TagUnknown):
        go(repository, "golftrack:1.5~2")


def test_a_moment(repository, builds):
    for d in builds:
        repository.move(TAG, d, BY)  # on the 1st, 2nd and 3rd of November
    assert go(repository, "golftrack:1.5@{2026-11-01}") == builds[0]
    assert go(repository, "golftrack:1.5@{2026-11-01T23:59:59Z}") == builds[0]
    assert go(repository, "golftrack:1.5@{2026-11-02}") == builds[1]
    assert go(repository, "golftrack:1.5@{now}") == builds[2]
    assert go(repository, "golftrack:1.5@{4 weeks ago}") == builds[2]
    with pytest.raises(TagUnknown):
        go(repository, "golftrack:1.5@{2026-10-31}")


def test_at_a_moment_when_it_was_removed_there_is_nothing(repository, builds):
    for d in (builds[0], None):
        repository.move(TAG, d, BY)
    with pytest.raises(TagUnknown):
        go(repository, "golftrack:1.5@{2026-11-02}")


def test_what_was_never_there(repository, builds):
    for text in ("golftrack:none", "golftrack:none~1", "golftrack:none@{now}"):
        with pytest.raises(TagUnknown):
            go(repository, text)
    with pytest.raises(ManifestUnknown):
        go(repository, "golftrack@sha256:" + "0" * 64)


def test_another_series(repository, builds):
    seen = Cause("observed", "mate@deck", "registry.example", authoritative=False)
    repository.move(TAG, builds[0], seen)
    reference = Reference.parse("golftrack:1.5~0")
    assert travel.resolve(repository, reference, NOW, "registry.example") == builds[0]
    with pytest.raises(TagUnknown):
        travel.resolve(repository, reference, NOW)


def test_a_place_without_a_ledger_has_only_the_present(tmp_path):
    layout = Layout(tmp_path / "layout", create=True)
    layout.tag(TAG, images.image(layout))
    assert go(layout, "golftrack:1.5")
    with pytest.raises(Unsupported):
        go(layout, "golftrack:1.5~1")


def test_a_reference_that_does_not_travel_is_in_no_past():
    assert travel.past([], Reference.parse("golftrack:1.5"), NOW) is None
