"""Scrubbing in slices: all of it is read once a round, damage is named, and it goes on."""

from datetime import timedelta

import pytest

from images import image
from killick.errors import StoreReadOnly
from killick.names import Tag
from killick.store import Store
from stores import NAME, damage, file_of, files, put

NONE = timedelta(0)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def repository(store):
    return store.repository(NAME)


def test_a_round_reads_everything_once(store, repository):
    ds = [put(repository, bytes([n]) * 1000) for n in range(120)]
    done = store.scrub()
    assert (done.findings, done.count, done.finished) == ((), 120, True)
    assert done.size == sum(d.size for d in ds)


def test_slices_go_on_where_the_last_one_ended(store, repository):
    for n in range(5):
        put(repository, bytes([n]))
    # A slice without time reads one file, so that rounds come to their end.
    slices = [store.scrub(NONE) for _ in range(3)]
    assert [(s.count, s.finished) for s in slices] == [(1, False)] * 3
    with Store(store.root) as later:
        rest = later.scrub()
    assert (rest.count, rest.finished) == (2, True)
    assert store.scrub().count == 5


def test_it_stops_when_it_is_told_to(store, repository):
    put(repository, b"x")
    assert store.scrub(stop=lambda: True) == store.scrub(stop=lambda: True)
    assert not store.scrub(stop=lambda: True).finished
    assert store.scrub().count == 1


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_is_named_with_the_images_that_need_it(store, repository, how):
    root = image(repository, {"v": b"1"})
    repository.tag(Tag("1.5"), root)
    path = file_of(store, root)
    if how == "flipped":
        damage(store, root)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    (finding,) = store.scrub().findings
    assert finding.digest == root.digest
    assert finding.images == (f"{NAME}:1.5",)
    assert finding.problem == ("its file is missing" if how == "gone" else "its bytes are wrong")
    assert not repository.has(root)
    assert bool(files(store.root / "quarantine")) == (how != "gone")
    # It is named in each round, until somebody brings it again.
    (again,) = store.scrub().findings
    assert again.problem == "was found damaged or missing before"
    image(repository, {"v": b"1"})
    assert store.scrub().findings == ()


def test_a_store_that_is_read_only_is_not_scrubbed(store, repository):
    put(repository, b"x")
    with Store(store.root, read_only=True) as reading, pytest.raises(StoreReadOnly):
        reading.scrub()
