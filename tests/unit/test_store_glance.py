"""What the store gives at a glance, and what it leaves to a closer look."""

import io
import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest

import images
from killick.digest import Digest
from killick.names import Tag
from killick.repository import BLOB_TYPE
from killick.store import Store, glance
from killick.store.database import BUSY_SECONDS
from stores import NAME

TAG = Tag("1.5")
LEASE = timedelta(minutes=10)


@pytest.fixture
def image(store):
    """Put and tag an image, and read its manifest once."""
    repository = store.repository(NAME)
    d = images.image(repository)
    repository.tag(TAG, d)
    read(repository, d)
    return d


def read(repository, d):
    with repository.open(d) as stream:
        return stream.read()


def layer_of(store, d):
    text = read(store.repository(NAME), d).decode()
    return Digest.parse(f"sha256:{text.rpartition('sha256:')[2][:64]}")


def test_a_manifest_by_tag_and_by_digest(store, image):
    for ref in (TAG, image.digest):
        found = store.glance(NAME, ref)
        assert (found.media_type, found.digest, found.size) == (
            image.media_type,
            str(image.digest),
            image.size,
        )
        assert Digest.of(found.content) == image.digest
        assert found.path is None


def test_a_tag_comes_with_the_head_of_its_ledger(store, image):
    assert store.glance(NAME, TAG).head == store.repository(NAME).head()
    assert store.glance(NAME, image.digest).head is None


def test_a_blob_is_a_file(store, image):
    layer = layer_of(store, image)
    found = store.glance_blob(NAME, layer)
    assert (found.media_type, found.digest, found.content) == (BLOB_TYPE, str(layer), None)
    assert Digest.of(found.path.read_bytes()) == layer
    assert found.size == found.path.stat().st_size


def test_what_is_not_there(store, image):
    nothing = Digest.of(b"nothing")
    layer = layer_of(store, image)
    assert store.glance(NAME, Tag("1.6")) is None
    assert store.glance("else/where", TAG) is None
    assert store.glance(NAME, nothing) is None
    assert store.glance(NAME, layer) is None
    assert store.glance_blob(NAME, nothing) is None
    assert store.glance_blob(NAME, image.digest) is None
    assert store.glance_blob("else/where", layer) is None


def test_a_manifest_that_was_not_read_yet_takes_a_closer_look(store, image):
    repository = store.repository(NAME)
    other = images.image(repository, {"x": b"y"})
    repository.tag(Tag("2"), other)
    assert store.glance(NAME, Tag("2")) is None
    read(repository, other)
    assert store.glance(NAME, Tag("2")).digest == str(other.digest)


def test_content_without_a_root_takes_a_closer_look_that_renews_its_lease(store, image):
    repository = store.repository(NAME)
    free = images.image(repository, {"x": b"free"})
    read(repository, free)
    assert store.glance(NAME, free.digest) is None
    assert store.glance_blob(NAME, layer_of(store, free)) is None


def test_a_file_that_is_not_known_to_be_good_takes_a_closer_look(store, image, clock):
    layer = layer_of(store, image)
    path = store.glance_blob(NAME, layer).path
    path.write_bytes(path.read_bytes())
    assert store.glance_blob(NAME, layer) is None
    path.unlink()
    assert store.glance_blob(NAME, layer) is None


def test_a_file_that_was_verified_long_ago_takes_a_closer_look(store, image, clock):
    layer = layer_of(store, image)
    clock.forward(days=6)
    assert store.glance_blob(NAME, layer) is not None
    clock.forward(days=2)
    assert store.glance_blob(NAME, layer) is None


def test_damage_that_was_found_is_not_given(store, image):
    layer = layer_of(store, image)
    path = store.glance_blob(NAME, layer).path
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert [finding.digest for finding in store.verify()] == [layer]
    assert store.glance_blob(NAME, layer) is None


def test_a_database_that_somebody_has_for_himself_is_not_waited_for(store, image):
    layer = layer_of(store, image)
    store._context.database.close()  # the last connections but his
    with closing(sqlite3.connect(store.root / "store.db", isolation_level=None)) as alone:
        alone.execute("PRAGMA locking_mode = EXCLUSIVE")
        alone.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        assert store.glance_blob(NAME, layer) is None
        assert time.monotonic() - start < BUSY_SECONDS / 2


def test_while_another_thread_is_at_it_nobody_waits(store, image):
    with store._glances._turn:
        assert store.glance(NAME, TAG) is None
    assert store.glance(NAME, TAG) is not None


def test_what_was_given_at_a_glance_is_kept_while_transfers_go_on(tmp_path, clock):
    """Somebody may be loading it for longer than a lease, and it may lose its root meanwhile."""
    at_once = timedelta(0)
    with Store(tmp_path / "store", clock=clock, lease=LEASE, retention=at_once) as store:
        repository = store.repository(NAME)
        old, new = (images.image(repository, {"v": v}) for v in (b"old", b"new"))
        repository.tag(TAG, old)
        with closing(Store(store.root, clock=clock, lease=LEASE, retention=at_once)) as serving:
            read(serving.repository(NAME), old)
            serving._leases._touched.clear()
            assert serving.glance(NAME, TAG).digest == str(old.digest)
            repository.tag(TAG, new)
            for _ in range(9):
                clock.forward(minutes=5)
                serving._leases._renewed = float("-inf")  # by the clock of this test
                serving._leases.keep_alive()
            store.collect()
            assert serving.glance(NAME, TAG) is None
            assert repository.has(old)


def test_little_is_remembered(store, monkeypatch):
    monkeypatch.setattr(glance, "MOST_BYTES", 2000)
    repository = store.repository(NAME)
    made = [images.image(repository, {"n": bytes([n])}) for n in range(9)]
    for number, d in enumerate(made):
        repository.tag(Tag(f"t{number}"), d)
        read(repository, d)
    given = [store.glance(NAME, d.digest) is not None for d in made]
    assert given[-1]
    assert not given[0]
    assert sum(d.size for d, one in zip(made, given, strict=True) if one) <= 2000


def test_a_large_manifest_is_not_remembered(store, monkeypatch):
    repository = store.repository(NAME)
    large = images.image(repository, annotations={"x": "y" * glance.MOST_BYTES_EACH})
    repository.tag(TAG, large)
    assert Digest.of(read(repository, large)) == large.digest
    assert store.glance(NAME, TAG) is None


def test_wrong_bytes_are_not_remembered(store, image):
    d = images.image(store.repository(NAME), {"x": b"else"})
    remembered = glance.Remembered()
    stream = remembered.passing(d, io.BytesIO(b"wrong"))
    assert stream.read() == b"wrong"
    assert remembered.get(str(d.digest)) is None


def test_after_the_store_was_closed_nothing_is_given(tmp_path, clock):
    with Store(tmp_path / "other", clock=clock) as store:
        repository = store.repository(NAME)
        d = images.image(repository)
        repository.tag(TAG, d)
        read(repository, d)
        assert store.glance(NAME, TAG)
    assert store.glance(NAME, TAG) is None


def test_glances_from_many_threads(store, image):
    wrong = []

    def look():
        for _ in range(200):
            found = store.glance(NAME, TAG)
            if found is not None and found.digest != str(image.digest):
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
