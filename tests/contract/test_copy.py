"""copy() between every two implementations: digests never change, and it can be done again."""

import io
import json

import pytest

import images
from contract.implementations import having
from contract.tools import at_once, put, read
from killick.errors import BlobUnknown, DigestMismatch, ManifestUnknown, PlatformUnknown
from killick.manifest import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Index,
    parse_document,
)
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import Cause, Knowing, Ledger
from killick.transfer import Options, copy, walk

TAG = Tag("1.5")


def nested(repository):
    """Put an index that lists an index and an image."""
    inner = images.multi_platform(repository)
    return images.index(repository, [(inner, None), (images.image(repository), images.AMD64)])


def about_another(repository):
    """Put an artifact whose subject is an image, which is there too."""
    return images.artifact(repository, images.image(repository))


def with_foreign_layer(repository):
    """Put an image with a layer that is to be fetched elsewhere."""
    config = put(repository, b'{"rootfs": {}}', media_type=OCI_CONFIG)
    layer = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": "sha256:" + "1" * 64,
        "size": 1_000_000,
        "urls": ["https://elsewhere.example/layer"],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer],
    }
    return put(repository, json.dumps(manifest).encode(), media_type=OCI_MANIFEST)


def by_sha512(repository):
    """Put an image, and an index that lists it, under sha512 digests."""
    raw = read(repository, images.image(repository))
    d = put(repository, raw, algorithm="sha512", media_type=OCI_MANIFEST)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [d.to_json() | {"platform": images.AMD64.to_json()}],
    }
    return put(repository, json.dumps(document).encode(), algorithm="sha512", media_type=OCI_INDEX)


SHAPES = {
    "one image": images.image,
    "many layers": lambda repository: images.image(repository, layers=9),
    "docker schema 2": lambda repository: images.image(repository, docker=True),
    "two platforms": images.multi_platform,
    "nested index": nested,
    "artifact": images.artifact,
    "artifact with subject": about_another,
    "foreign layer": with_foreign_layer,
    "sha512": by_sha512,
    "empty index": lambda repository: images.index(repository, []),
}


def everything(repository, root):
    """Return the bytes of all that belongs to an image, by digest."""
    found = {}
    for document in walk(repository, root):
        found[str(document.digest)] = document.raw
        for child in document.children():
            if not isinstance(document, Index) and not child.is_foreign:
                found[str(child.digest)] = read(repository, child)
    return found


def some_of_all(repository):
    """Put an index that leads to most of these shapes."""
    made = [SHAPES[s](repository) for s in ("docker schema 2", "nested index", "sha512")]
    return images.index(repository, [(d, None) for d in (*made, about_another(repository))])


@pytest.fixture
def reference():
    """A repository in memory, to be compared with."""
    return MemoryRegistry().repository("reference")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_goes_in_and_out_byte_for_byte(reference, repository, shape):
    root = SHAPES[shape](reference)
    result = copy(reference, repository, root, TAG)
    assert result.moved
    assert repository.resolve(TAG) == root
    assert everything(repository, root) == everything(reference, root)
    home = MemoryRegistry().repository("home")
    copy(repository, home, repository.resolve(TAG), TAG)
    assert home.resolve(TAG) == root
    assert everything(home, root) == everything(reference, root)


def test_between_any_two_places_nothing_changes(repository, other, place):
    root = some_of_all(repository)
    repository.tag(TAG, root)
    copy(repository, other, repository.resolve(TAG), TAG)
    assert other.resolve(TAG) == root
    assert everything(other, root) == everything(repository, root)
    home = place.repository("team/returned")
    copy(other, home, other.resolve(TAG), TAG)
    assert home.resolve(TAG) == root


def test_the_second_copy_moves_nothing(reference, other):
    root = images.multi_platform(reference)
    first = copy(reference, other, root, TAG)
    second = copy(reference, other, root, TAG)
    assert first.copied
    assert second.copied == ()


def test_one_platform_then_all(reference, other):
    root = images.multi_platform(reference)
    copy(reference, other, root, TAG, Options(platforms=(images.ARM64,)))
    index = parse_document(read(other, root), root.media_type)
    taken = index.select(images.ARM64)
    left = index.select(images.AMD64)
    assert other.has(taken)
    assert not other.has(left)
    with pytest.raises(ManifestUnknown):
        list(walk(other, root))
    if isinstance(other, Knowing):
        assert not other.complete(root)
    copy(reference, other, root, TAG)
    assert other.has(left)
    assert everything(other, root) == everything(reference, root)


def test_a_copied_image_is_known_to_be_complete(reference, other):
    root = images.image(reference, layers=3)
    copy(reference, other, root, TAG)
    if isinstance(other, Knowing):
        assert other.complete(root)


def test_a_platform_that_is_not_there(reference, other):
    root = images.multi_platform(reference)
    with pytest.raises(PlatformUnknown):
        copy(reference, other, root, TAG, Options(platforms=(images.Platform("plan9", "mips"),)))


def test_a_missing_layer_stops_the_copy_and_nothing_is_named(other):
    source = MemoryRegistry().repository("broken")
    root = images.image(source, layers=3)
    document = parse_document(read(source, root), root.media_type)
    source.delete(document.layers[1])
    with pytest.raises(BlobUnknown):
        copy(source, other, root, TAG)
    assert not other.has(root)
    assert images.image(source, layers=3) == root
    copy(source, other, root, TAG)
    assert other.resolve(TAG) == root


class Lying:
    """A repository that gives a layer with one bit flipped."""

    def __init__(self, repository):
        self._repository = repository

    def __getattr__(self, name):
        return getattr(self._repository, name)

    def open(self, d, start=0):
        content = bytearray(read(self._repository, d, start))
        if d.media_type == OCI_LAYER_GZIP:
            content[-1] ^= 1
        return io.BytesIO(content)


def test_wrong_bytes_stop_the_copy_and_nothing_is_named(other):
    source = MemoryRegistry().repository("lying")
    root = images.image(source)
    layer = parse_document(read(source, root), root.media_type).layers[0]
    with pytest.raises(DigestMismatch):
        copy(Lying(source), other, root, TAG)
    assert not other.has(root)
    assert not other.has(layer)


@pytest.mark.parametrize("other_place", having(Ledger), indirect=True)
def test_the_cause_stands_in_the_ledger(reference, other):
    root = images.image(reference)
    cause = Cause("pulled", "mate@deck")
    copy(reference, other, root, TAG, Options(cause=cause))
    assert next(other.history(TAG)).cause == cause


def test_eight_copies_of_one_image_at_once(reference, other):
    root = images.multi_platform(reference)
    assert not at_once(*[lambda: copy(reference, other, root, TAG)] * 8)
    assert everything(other, root) == everything(reference, root)
