"""Upload sessions: in pieces, over objects and processes, verified in the end."""

import pytest

from killick.digest import Digest
from killick.errors import Conflict, DigestMismatch, UnverifiableDigest, UploadUnknown
from killick.store import Store
from stores import blob, files, output, python, read

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


def test_pieces_make_a_blob(store, repository):
    upload = repository.begin()
    for start in range(0, len(CONTENT), 300_000):
        upload.write(memoryview(CONTENT)[start : start + 300_000])
    assert upload.size == len(CONTENT)
    assert upload.commit(Digest.of(CONTENT)) == blob(CONTENT)
    assert read(repository, blob(CONTENT)) == CONTENT
    assert files(store.root / "uploads") == []


@pytest.mark.parametrize("content", [b"", CONTENT])
def test_without_a_digest_the_bytes_give_it(repository, content):
    upload = repository.begin()
    upload.write(content)
    assert upload.commit() == blob(content)


def test_each_request_may_find_the_upload_anew(store, repository):
    identifier = repository.begin().id
    for start in range(0, len(CONTENT), 500_000):
        upload = repository.upload(identifier)
        assert upload.size == start
        upload.write(CONTENT[start : start + 500_000])
    assert repository.upload(identifier).commit(Digest.of(CONTENT)) == blob(CONTENT)
    with pytest.raises(UploadUnknown):
        repository.upload(identifier)


WORKER = """
import sys
from pathlib import Path
from killick.store import Store

with Store(Path(sys.argv[1])) as store:
    upload = store.repository("docker.io/library/golftrack").upload(sys.argv[2])
    upload.write(b"second ")
"""


def test_the_pieces_may_go_to_several_processes(store, repository):
    upload = repository.begin()
    upload.write(b"first ")
    output(python(WORKER, store.root, upload.id))
    again = repository.upload(upload.id)
    again.write(b"third")
    assert again.commit() == blob(b"first second third")
    assert read(repository, blob(b"first second third")) == b"first second third"


def test_sha512_is_verified_too(repository):
    upload = repository.begin()
    upload.write(CONTENT)
    assert upload.commit(Digest.of(CONTENT, "sha512")).digest.algorithm == "sha512"


def test_wrong_bytes_end_the_upload(store, repository):
    upload = repository.begin()
    upload.write(CONTENT)
    with pytest.raises(DigestMismatch):
        upload.commit(Digest.of(b"other"))
    with pytest.raises(UploadUnknown):
        upload.write(b"x")
    assert not repository.has(blob(CONTENT))
    assert files(store.root / "uploads") == files(store.root / "blobs") == []


def test_a_digest_that_can_not_be_computed_leaves_the_upload(repository):
    upload = repository.begin()
    upload.write(b"x")
    with pytest.raises(UnverifiableDigest):
        upload.commit(Digest.parse("blake3:abcd"))
    assert upload.commit(Digest.of(b"x")).size == 1


def test_cancelled_is_gone(store, repository):
    upload = repository.begin()
    upload.write(b"x")
    upload.cancel()
    with pytest.raises(UploadUnknown):
        repository.upload(upload.id)
    with pytest.raises(UploadUnknown):
        upload.commit()
    assert files(store.root / "uploads") == []


def test_an_upload_belongs_to_its_repository(store, repository):
    upload = repository.begin()
    with pytest.raises(UploadUnknown):
        store.repository("docker.io/library/other").upload(upload.id)


@pytest.mark.parametrize("identifier", ["", "x", "../" * 5, "0" * 32, "0" * 31 + "/", "\0" * 32])
def test_what_was_never_begun_is_unknown(repository, identifier):
    with pytest.raises(UploadUnknown):
        repository.upload(identifier)


def test_two_who_write_at_once_are_told(repository):
    one = repository.begin()
    two = repository.upload(one.id)
    one.write(b"one")
    with pytest.raises(Conflict):
        two.write(b"two")
    with pytest.raises(Conflict):
        two.commit()
    assert one.commit() == blob(b"one")
