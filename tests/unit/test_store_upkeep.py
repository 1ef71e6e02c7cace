"""A store that is served: health, slices of a scrub, uploads that nobody goes on with."""

import os
import time
from datetime import timedelta
from io import BytesIO

import pytest

from killick.digest import Digest
from killick.errors import StoreError, StoreReadOnly
from killick.manifest import Descriptor
from killick.repository import BLOB_TYPE
from killick.store import Store


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store", actor="test") as store:
        yield store


def fill(store, number):
    """Put blobs in; return their digests in order."""
    found = []
    for n in range(number):
        data = b"blob %d" % n
        d = Descriptor(BLOB_TYPE, Digest.of(data), len(data))
        store.repository("a").put(d, BytesIO(data))
        found.append(d.digest)
    return sorted(found, key=str)


def test_a_store_that_is_well_leaves_nothing_behind(store):
    store.check_health()
    assert list((store.root / "temporary").iterdir()) == []


def test_a_folder_that_is_gone_is_trouble(store):
    (store.root / "temporary").rmdir()
    with pytest.raises(StoreError):
        store.check_health()


def test_a_database_that_is_no_database_is_trouble(tmp_path):
    with Store(tmp_path / "store") as store:
        store.check_health()
        store.close()
        with pytest.raises(StoreError):
            store.check_health()


def test_one_that_is_only_read_need_not_be_written(store):
    with Store(store.root, read_only=True) as reading:
        (store.root / "temporary").rmdir()
        reading.check_health()
        with pytest.raises(StoreReadOnly):
            reading.expire_uploads(timedelta(0))


def test_a_scrub_looks_at_all_in_order_and_goes_on_from_anywhere(store):
    digests = fill(store, 450)
    assert [looked.digest for looked in store.scrub()] == digests
    half = [looked.digest for looked in store.scrub(str(digests[200]))]
    assert half == digests[201:]
    assert list(store.scrub(str(digests[-1]))) == []
    assert sum(looked.size for looked in store.scrub()) == sum(
        len(b"blob %d" % n) for n in range(450)
    )


def test_a_scrub_names_damage_and_puts_it_aside(store):
    digests = fill(store, 3)
    path = store.root / "blobs" / "sha256" / digests[1].encoded
    path.write_bytes(b"X" * path.stat().st_size)
    problems = {looked.digest: looked.problem for looked in store.scrub()}
    assert problems[digests[1]]
    assert [d for d in digests if problems[d] is None] == [digests[0], digests[2]]
    assert not path.exists()
    again = {looked.digest: looked.problem for looked in store.scrub()}
    assert again[digests[1]] == "was found damaged or missing before"


def test_uploads_expire_when_nobody_goes_on_with_them(store):
    repository = store.repository("a")
    old, fresh, held = repository.begin(), repository.begin(), repository.begin()
    assert store.count_uploads() == 3
    for upload in (old, held):
        (path,) = (store.root / "uploads").glob(f"{upload.id}-*")
        os.utime(path, (time.time() - 100, time.time() - 100))
    with held._locked():
        assert store.expire_uploads(timedelta(seconds=50)) == 1
    assert store.count_uploads() == 2
    assert repository.upload(fresh.id).size == 0
    assert repository.upload(held.id).size == 0
