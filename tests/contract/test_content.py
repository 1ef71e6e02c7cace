"""Content: what is put under a digest is what is read from it, or nothing is."""

import io
from contextlib import suppress

import pytest

import images
from contract.tools import LAYER, Failing, at_once, blob, put, read
from killick.digest import Digest
from killick.errors import (
    BlobUnknown,
    ContentError,
    DigestMismatch,
    ManifestUnknown,
    Unreachable,
    UnverifiableDigest,
)
from killick.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from killick.repository import BLOB_TYPE


def test_what_was_put_is_read_back(repository):
    d = put(repository, b"some bytes" * 100_000)
    assert repository.has(d)
    assert read(repository, d) == b"some bytes" * 100_000


def test_reading_starts_anywhere(repository):
    content = bytes(range(256)) * 3000
    d = put(repository, content)
    for start in (0, 1, 300_000, len(content) - 1, len(content)):
        assert read(repository, d, start) == content[start:]


def test_the_empty_blob_is_content_too(repository):
    d = put(repository, b"")
    assert repository.has(d)
    assert read(repository, d) == b""
    assert repository.find(d.digest) == Descriptor(BLOB_TYPE, d.digest, 0)


def test_sha512_names_content_as_well(repository):
    d = put(repository, b"longer", algorithm="sha512")
    assert read(repository, d) == b"longer"


def test_putting_twice_is_success_and_reads_the_source_to_its_end(repository):
    content = b"again" * 1000
    d = put(repository, content)
    source = io.BytesIO(content)
    repository.put(d, source)
    assert read(repository, d) == content


def test_a_blob_is_found_by_its_digest_alone(repository):
    d = put(repository, b"find me", media_type=LAYER)
    assert repository.find(d.digest) == Descriptor(BLOB_TYPE, d.digest, 7)


def test_what_was_never_put_is_not_there(repository):
    put(repository, b"something else")
    absent = blob(b"absent")
    assert not repository.has(absent)
    with pytest.raises(BlobUnknown):
        repository.find(absent.digest)
    with pytest.raises(BlobUnknown):
        repository.open(absent)
    with pytest.raises(ManifestUnknown):
        repository.open(blob(b"absent", media_type=OCI_MANIFEST))


@pytest.mark.parametrize(
    "wrong", [b"wrong bytes", b"right bytes and more", b"right", b""], ids=repr
)
def test_wrong_bytes_never_become_visible(repository, wrong):
    d = blob(b"right bytes")
    with pytest.raises(DigestMismatch):
        repository.put(d, io.BytesIO(wrong))
    assert not repository.has(d)
    with pytest.raises(BlobUnknown):
        repository.open(d)
    repository.put(d, io.BytesIO(b"right bytes"))
    assert read(repository, d) == b"right bytes"


def test_wrong_bytes_leave_what_was_there(repository):
    d = put(repository, b"right bytes")
    with suppress(DigestMismatch):  # or the bytes were not needed, and only thrown away
        repository.put(d, io.BytesIO(b"wrong bytes"))
    assert read(repository, d) == b"right bytes"


def test_a_source_that_fails_leaves_nothing_visible(repository):
    content = b"x" * 600_000
    d = blob(content)
    with pytest.raises(Unreachable):
        repository.put(d, Failing(content[:300_000], Unreachable("the line is dead")))
    assert not repository.has(d)
    put(repository, content)
    assert read(repository, d) == content


def test_a_digest_that_cannot_be_computed_is_refused(repository):
    d = Descriptor(BLOB_TYPE, Digest.parse("blake3:abc123"), 3)
    with pytest.raises(UnverifiableDigest):
        repository.put(d, io.BytesIO(b"abc"))


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX])
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"schemaVersion": 2}'])
def test_what_is_no_manifest_is_not_taken_as_one(repository, media_type, content):
    d = blob(content, media_type=media_type)
    with pytest.raises(ContentError):
        repository.put(d, io.BytesIO(content))
    with pytest.raises(ManifestUnknown):
        repository.resolve(d.digest)


def test_a_manifest_is_kept_byte_for_byte(repository):
    config = put(repository, b"{}", media_type="application/vnd.oci.empty.v1+json")
    content = (
        b'{ "schemaVersion":2,\n\t"mediaType": "%s", "config": {"size": 2, "digest": "%s",'
        b'"mediaType": "application/vnd.oci.empty.v1+json"}, "layers": [ ], "x-own": [1.50] }\n'
    ) % (OCI_MANIFEST.encode(), str(config.digest).encode())
    d = put(repository, content, media_type=OCI_MANIFEST)
    assert read(repository, d) == content
    assert repository.resolve(d.digest) == d


def test_a_manifest_by_sha512_is_resolved_by_it(repository):
    small = images.image(repository)
    content = read(repository, small)
    d = blob(content, "sha512", OCI_MANIFEST)
    repository.put(d, io.BytesIO(content))
    assert repository.resolve(d.digest) == d
    assert read(repository, d) == content


def test_a_blob_is_no_manifest(repository):
    d = put(repository, b'{"just": "a config"}')
    with pytest.raises(ManifestUnknown):
        repository.resolve(d.digest)


def test_one_blob_put_by_eight_threads_at_once(repository):
    content = b"popular" * 100_000
    d = blob(content)
    assert not at_once(*[lambda: repository.put(d, io.BytesIO(content))] * 8)
    assert read(repository, d) == content


def test_wrong_and_right_bytes_at_once(repository):
    content = b"contested" * 50_000
    d = blob(content)

    def wrong():
        with suppress(DigestMismatch):  # where the right bytes are there, others are not looked at
            repository.put(d, io.BytesIO(content[:-1] + b"!"))

    def right():
        repository.put(d, io.BytesIO(content))

    assert not at_once(*[wrong, right] * 4)
    assert read(repository, d) == content
