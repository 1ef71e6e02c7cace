"""`verify`: every kind of damage is found, and what is found is out of the way."""

import io
import os

import pytest

from images import AMD64, image, index, multi_platform
from killick.manifest import Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.store import Store
from killick.transfer import Options, copy, walk
from stores import NAME, damage, file_of, files, put, read

TAG = Tag("1.5")


@pytest.fixture
def root(repository):
    d = multi_platform(repository)
    repository.tag(TAG, d)
    return d


def everything(repository, root):
    found = {}
    for document in walk(repository, root):
        for d in (document.descriptor, *document.children()):
            found[d.digest] = d
    return list(found.values())


def test_a_whole_store_has_no_findings(store, root):
    assert list(store.verify()) == []
    assert list(store.verify([root])) == []


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


HARM = {
    "a flipped bit": flip,
    "a truncation": lambda path: os.truncate(path, 1),
    "an empty file": lambda path: os.truncate(path, 0),
    "zeroes": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "more bytes": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a lost file": lambda path: path.unlink(),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_harm_to_any_piece_is_found_and_healed_by_a_pull(store, repository, root, harm):
    memory = MemoryRegistry().repository("m")
    copy(repository, memory, root)
    for d in everything(repository, root):
        harm(file_of(store, d))
        found = [f for f in store.verify() if f.digest == d.digest]
        assert found
        assert all(f.damage and f.images == (f"{NAME}:1.5",) for f in found)
        assert not repository.has(d)
        assert not repository.complete(root)
        copy(memory, repository, root)
        assert repository.complete(root)
        assert list(store.verify()) == []


def test_damage_stays_a_finding_until_it_is_healed(store, repository, root):
    damage(store, root)
    assert len(list(store.verify())) == 1
    assert [f.digest for f in store.verify()] == [root.digest]


def test_the_check_of_some_images_looks_at_them_alone(store, repository, root):
    other = image(repository, {"other": b"1"})
    damage(store, other)
    assert list(store.verify([root])) == []
    assert [f.digest for f in store.verify([other])] == [other.digest]


def test_what_is_not_here_is_a_finding_if_it_is_asked_for(store, repository, root):
    nowhere = Descriptor.of(root.media_type, b"nowhere")
    assert [f.digest for f in store.verify([nowhere])] == [nowhere.digest]


def test_an_index_of_which_one_platform_was_pulled_is_whole(store, repository):
    memory = MemoryRegistry().repository("m")
    root = multi_platform(memory)
    copy(memory, repository, root, TAG, Options(platforms=(AMD64,)))
    assert not repository.complete(root)
    assert repository.complete(root, (AMD64,))
    assert list(store.verify()) == []
    assert list(store.verify([root])) == []


def test_a_manifest_without_a_layer_is_broken(store, repository, clock):
    memory = MemoryRegistry().repository("m")
    d = image(memory)
    layer = next(walk(memory, d)).children()[-1]
    for part in everything(memory, d):
        repository.put(part, memory.open(part))
    repository.tag(TAG, index(repository, [(d, None)]))
    repository.delete(layer)
    clock.forward(hours=1)
    store.collect()
    (finding,) = store.verify()
    assert finding.digest == layer.digest
    assert finding.images == (f"{NAME}:1.5",)
    assert "layer" in finding.problem
    repository.put(layer, memory.open(layer))
    assert list(store.verify()) == []


def test_a_file_without_a_row_is_untidy_but_no_damage(store, root):
    (store.root / "blobs" / "sha256" / ("ab" * 32)).write_bytes(b"x")
    (finding,) = store.verify()
    assert not finding.damage


def test_a_read_only_store_is_checked_without_a_change(store, repository, root):
    damage(store, root)
    with Store(store.root, read_only=True) as reading:
        assert [f.digest for f in reading.verify()] == [root.digest]
    assert files(store.root / "quarantine") == []
    assert file_of(store, root).exists()


def test_rows_that_point_at_nothing_are_found(store, repository, root):
    with store._context.database.reading() as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM blob WHERE digest = ?", (str(root.digest),))
        connection.execute("PRAGMA foreign_keys = ON")
    assert any("point at nothing" in f.problem for f in store.verify())


def test_content_larger_than_a_page_of_rows(store, repository):
    ds = [put(repository, b"%d" % i) for i in range(450)]
    damage(store, ds[444])
    assert [f.digest for f in store.verify()] == [ds[444].digest]
    repository.put(ds[444], io.BytesIO(b"444"))
    assert read(repository, ds[444]) == b"444"
