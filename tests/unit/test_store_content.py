"""Content of a store: verified, durable, private to its owner, shared on disk, apart in sight."""

import io
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from images import artifact, image, multi_platform
from killick.digest import Digest
from killick.errors import (
    BlobUnknown,
    ContentError,
    DigestMismatch,
    LimitExceeded,
    ManifestUnknown,
    UnverifiableDigest,
)
from killick.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from killick.repository import (
    BLOB_TYPE,
    Deletable,
    Knowing,
    Ledger,
    Located,
    Mountable,
    Referrers,
    Repository,
    Resumable,
    Uploads,
)
from killick.store import Store
from stores import NAME, blob, damage, file_of, files, put, read

CONTENT = bytes(range(256)) * 4096  # 1 MiB


def test_a_store_repository_has_every_role(repository):
    roles = (
        Repository, Ledger, Resumable, Uploads, Mountable, Located, Deletable, Referrers, Knowing
    )  # fmt: skip
    assert all(isinstance(repository, role) for role in roles)


@pytest.mark.parametrize("size", [0, 1, 1000, len(CONTENT), 5 * len(CONTENT) + 3])
def test_content_comes_back_as_it_was_put(repository, size):
    content = (CONTENT * 6)[:size]
    d = put(repository, content)
    assert repository.has(d)
    assert read(repository, d) == content
    assert read(repository, d, size // 2) == content[size // 2 :]
    assert repository.find(d.digest) == d


def test_sha512_content_is_stored_under_its_own_name(store, repository):
    d = Descriptor(BLOB_TYPE, Digest.of(CONTENT, "sha512"), len(CONTENT))
    repository.put(d, io.BytesIO(CONTENT))
    assert file_of(store, d).read_bytes() == CONTENT
    assert read(repository, d) == CONTENT


def test_files_lie_as_in_an_oci_layout_and_nothing_else_is_left(store, repository):
    d = put(repository, CONTENT)
    assert files(store.root / "blobs") == [d.digest.encoded]
    assert files(store.root / "temporary") == files(store.root / "partial") == []


@pytest.mark.parametrize("size", [100, 5 * len(CONTENT)])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:-1] + b"\xfe",
        lambda content: b"",
        lambda content: content * 3,
    ],
)
def test_wrong_bytes_never_become_visible(store, repository, size, wrong):
    content = (CONTENT * 5)[:size]
    d = blob(content)
    with pytest.raises(DigestMismatch):
        repository.put(d, io.BytesIO(wrong(content)))
    assert not repository.has(d)
    assert files(store.root / "blobs") == files(store.root / "temporary") == []


def test_an_unknown_algorithm_can_not_be_stored(repository):
    d = Descriptor(BLOB_TYPE, Digest.parse("blake3:abcd"), 1)
    with pytest.raises(UnverifiableDigest):
        repository.put(d, io.BytesIO(b"x"))
    with pytest.raises(UnverifiableDigest), repository.ingest(d):
        pass
    assert not repository.has(d)


def test_what_is_not_here_is_unknown(repository):
    with pytest.raises(BlobUnknown):
        repository.open(blob(b"x"))
    with pytest.raises(BlobUnknown):
        repository.find(blob(b"x").digest)
    with pytest.raises(ManifestUnknown):
        repository.open(Descriptor.of(OCI_MANIFEST, b"x"))
    with pytest.raises(ManifestUnknown):
        repository.resolve(blob(b"x").digest)


def test_a_manifest_must_be_one_and_of_the_kind_that_was_said(repository):
    root = image(repository)
    raw = read(repository, root)
    for content, media_type in [
        (b"{}", OCI_MANIFEST),
        (b"<html>", OCI_MANIFEST),
        (raw, OCI_INDEX),
        (raw[:-1] + b', "manifests": []}', OCI_MANIFEST),
        (raw[:-1] + b', "subject": 5}', OCI_MANIFEST),
        (raw[:-1] + b', "annotations": {"a": 1}}', OCI_MANIFEST),
    ]:
        d = Descriptor.of(media_type, content)
        with pytest.raises(ContentError):
            repository.put(d, io.BytesIO(content))
        assert content == raw or not repository.has(d)


def test_a_manifest_of_more_than_4_mib_is_not_read(repository):
    class Untouchable(io.RawIOBase):
        def readinto(self, buffer):
            raise AssertionError("it was read")

    d = replace(Descriptor.of(OCI_MANIFEST, b""), size=5 * 2**20)
    with pytest.raises(LimitExceeded):
        repository.put(d, Untouchable())


def test_manifests_and_blobs_are_kept_apart(repository):
    root = image(repository)
    as_blob = Descriptor(BLOB_TYPE, root.digest, root.size)
    assert repository.has(root)
    assert not repository.has(as_blob)
    repository.put(as_blob, io.BytesIO(read(repository, root)))
    assert repository.has(as_blob)
    repository.delete(as_blob)
    assert repository.has(root)
    assert not repository.has(as_blob)


def test_disk_is_shared_and_sight_is_not(store, repository):
    d = put(repository, CONTENT)
    other = store.repository("docker.io/library/other")
    assert not other.has(d)
    with pytest.raises(BlobUnknown):
        other.open(d)
    with pytest.raises(DigestMismatch):  # knowing a digest is not having the content
        other.put(d, io.BytesIO(b""))
    assert not other.has(d)
    put(other, CONTENT)
    assert other.has(d)
    assert files(store.root / "blobs") == [d.digest.encoded]


def test_a_mount_shows_what_the_sister_shows(store, repository):
    d = put(repository, CONTENT)
    other = store.repository("docker.io/library/other")
    assert not other.mount(d, "docker.io/library/nowhere")
    assert other.mount(d, NAME)
    assert read(other, d) == CONTENT
    repository.delete(d)
    assert other.has(d)
    assert not repository.has(d)
    assert not repository.mount(d, NAME)


def test_content_put_again_is_success_and_is_not_written_again(store, repository):
    d = put(repository, CONTENT)
    before = file_of(store, d).stat().st_ino
    put(repository, CONTENT)
    assert file_of(store, d).stat().st_ino == before


def test_modes_do_not_depend_on_the_umask(tmp_path):
    before = os.umask(0)
    try:
        with Store(tmp_path / "store") as store:
            image(store.repository(NAME))
            store.repository(NAME).begin().write(b"x")
            for path in [store.root, *store.root.rglob("*")]:
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), path
    finally:
        os.umask(before)


def test_good_content_has_a_file_for_zero_copy(store, repository):
    d = put(repository, CONTENT)
    assert repository.locate(d) == file_of(store, d)
    assert repository.locate(blob(b"x")) is None


@pytest.mark.parametrize("start", [0, 5])
def test_damaged_content_is_never_handed_out_whole_and_is_healed_by_a_put(store, repository, start):
    d = put(repository, CONTENT)
    damage(store, d)
    assert repository.locate(d) is None
    with pytest.raises(DigestMismatch) as caught:
        read(repository, d, start)
    assert caught.value.side == "local"
    assert not repository.has(d)
    with pytest.raises(BlobUnknown):
        repository.open(d)
    assert len(files(store.root / "quarantine")) == 1
    put(repository, CONTENT)
    assert read(repository, d) == CONTENT
    assert repository.locate(d) is not None


def test_a_damaged_manifest_is_healed_too(store, repository):
    root = multi_platform(repository)
    content = read(repository, root)
    damage(store, root)
    assert not repository.complete(root) or repository.locate(root) is None
    with pytest.raises(DigestMismatch):
        read(repository, root)
    assert not repository.complete(root)
    repository.put(root, io.BytesIO(content))
    assert repository.complete(root)


def test_a_put_heals_damage_that_nobody_has_seen_yet(store, repository):
    d = put(repository, CONTENT)
    damage(store, d)
    put(repository, CONTENT)
    assert read(repository, d) == CONTENT


@pytest.mark.parametrize("size", [0, 10])
def test_a_missing_file_makes_content_unknown(store, repository, size):
    d = put(repository, CONTENT[:size])
    file_of(store, d).unlink()
    with pytest.raises(BlobUnknown):
        repository.open(d)
    assert not repository.has(d)
    put(repository, CONTENT[:size])
    assert read(repository, d) == CONTENT[:size]


def test_a_truncated_file_is_found(store, repository):
    d = put(repository, CONTENT)
    os.truncate(file_of(store, d), 100)
    with pytest.raises(DigestMismatch):
        read(repository, d)
    assert not repository.has(d)


def test_an_empty_blob_that_has_grown_is_found(store, repository):
    d = put(repository, b"")
    file_of(store, d).write_bytes(b"x")
    with pytest.raises(DigestMismatch):
        repository.open(d)
    assert not repository.has(d)


def test_content_is_verified_again_after_a_week_and_then_good_for_another(repository, clock):
    d = put(repository, CONTENT)
    clock.forward(days=6)
    assert repository.locate(d) is not None
    clock.forward(days=2)
    assert repository.locate(d) is None
    assert read(repository, d) == CONTENT
    assert repository.locate(d) is not None


def test_a_touched_file_is_verified_and_then_trusted(store, repository):
    d = put(repository, CONTENT)
    os.utime(file_of(store, d))
    assert repository.locate(d) is None
    assert read(repository, d, 10) == CONTENT[10:]
    assert repository.locate(d) is not None


def test_delete_is_obeyed_at_once_and_takes_the_tags(repository):
    root = image(repository)
    for name in ("1", "2"):
        repository.tag(name, root)
    repository.delete(root)
    assert not repository.has(root)
    with pytest.raises(ManifestUnknown):
        repository.resolve(root.digest)
    assert list(repository.tags()) == []
    assert [move.cause.kind for move in repository.history()] == ["deleted"] * 2 + ["tagged"] * 2
    with pytest.raises(ManifestUnknown):
        repository.delete(root)
    with pytest.raises(BlobUnknown):
        repository.delete(blob(b"never here"))


def test_complete_means_all_of_it_is_here(store, repository):
    root = multi_platform(repository)
    assert repository.complete(root)
    other = store.repository("docker.io/library/other")
    other.put(root, io.BytesIO(read(repository, root)))  # a sparse index is accepted
    assert other.has(root)
    assert not other.complete(root)


def test_referrers_are_listed_by_digest(repository):
    root = image(repository)
    first = artifact(repository, root, "application/vnd.example.b")
    second = artifact(repository, root, "application/vnd.example.a")
    found = list(repository.referrers(root.digest))
    in_order = sorted((first.digest, second.digest), key=str)
    assert [d.digest for d in found] == in_order
    assert [d.digest for d in repository.referrers(root.digest, after=in_order[0])] == in_order[1:]
    assert found[0].annotations == {"org.example.kind": "sbom"}
    only = list(repository.referrers(root.digest, "application/vnd.example.a"))
    assert [d.digest for d in only] == [second.digest]
    assert list(repository.referrers(first.digest)) == []


def test_many_threads_put_many_blobs(store, repository):
    contents = [b"%d" % i * 1000 for i in range(100)]
    with ThreadPoolExecutor(8) as pool:
        ds = list(pool.map(lambda content: put(repository, content), contents))
    assert all(repository.has(d) for d in ds)
    assert [read(repository, d) for d in ds] == contents
    assert len(files(store.root / "blobs")) == 100
    assert files(store.root / "temporary") == []


def test_many_threads_put_one_blob(store, repository):
    start = threading.Barrier(8)

    def work(_):
        start.wait()
        return put(repository, CONTENT)

    with ThreadPoolExecutor(8) as pool:
        d = set(pool.map(work, range(8))).pop()
    assert read(repository, d) == CONTENT
    assert files(store.root / "temporary") == []
    assert list(store.verify()) == []
