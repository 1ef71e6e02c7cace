"""What was brought, but not named within its lease, and was collected meanwhile."""

import io

import pytest

from images import image
from killick.errors import Incomplete
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import Cause
from killick.transfer import copy, fetch
from stores import NAME

TAG = Tag("1.5")
PULLED = Cause("pulled", "tester@here")


@pytest.fixture
def source():
    return MemoryRegistry().repository(NAME)


@pytest.fixture
def lapsed(store, source, clock):
    """Bring an image so slowly that its layers are collected before its manifest comes."""
    root = image(source, layers=2)
    document = fetch(source, root)
    repository = store.repository(NAME)
    for part in document.children():
        with source.open(part) as stream:
            repository.put(part, stream)
    clock.forward(hours=1)
    store.collect()
    repository.put(root, io.BytesIO(document.raw))
    return root


def test_an_image_that_lost_its_parts_gets_no_name(store, lapsed):
    repository = store.repository(NAME)
    with pytest.raises(Incomplete, match="lacks sha256:"):
        repository.move(TAG, lapsed, PULLED)
    assert list(repository.tags()) == []
    assert list(repository.history()) == []


def test_an_image_that_lost_its_parts_is_not_kept(store, lapsed):
    with pytest.raises(Incomplete):
        store.repository(NAME).keep(lapsed)
    assert list(store.verify()) == []


def test_bringing_it_again_makes_it_whole(store, lapsed, source):
    repository = store.repository(NAME)
    copy(source, repository, lapsed, TAG)
    assert repository.resolve(TAG).digest == lapsed.digest
    assert repository.complete(lapsed)
    assert list(store.verify()) == []
