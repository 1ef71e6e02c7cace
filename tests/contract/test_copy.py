"""copy() between every two implementations: digests never change, and it can be done again."""

import io
import json

import pytest

import images
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


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_arrives_byte_for_byte(repository, other, shape):
    root = SHAPES[shape](repository)
    repository.tag(TAG, root)
    result = copy(repository, other, repository.resolve(TAG), TAG)
    assert result.moved
    assert other.resolve(TAG) == root
    assert everything(other, root) == everything(repository, root)


def test_there_and_back_again_is_the_same(repository, other, place):
    root = images.multi_platform(repository)
    copy(repository, other, root, TAG)
    home = place.repository("team/returned")
    copy(other, home, other.resolve(TAG), TAG)
    assert home.resolve(TAG) == root
    assert everything(home, root) == everything(repository, root)


def test_the_second_copy_moves_nothing(repository, other):
    root = images.multi_platform(repository)
    first = copy(repository, other, root, TAG)
    second = copy(repository, other, root, TAG)
    assert first.copied
    assert second.copied == ()


def test_one_platform_then_all(repository, other):
    root = images.multi_platform(repository)
    copy(repository, other, root, TAG, Options(platforms=(images.ARM64,)))
    index = parse_document(read(other, root), root.media_type)
    taken = index.select(images.ARM64)
    left = index.select(images.AMD64)
    assert other.has(taken)
    assert not other.has(left)
    with pytest.raises(ManifestUnknown):
        list(walk(other, root))
    if isinstance(other, Knowing):
        assert not other.complete(root)
    copy(repository, other, root, TAG)
    assert other.has(left)
    assert everything(other, root) == everything(repository, root)


def test_a_copied_image_is_known_to_be_complete(repository, other):
    root = images.image(repository, layers=3)
    copy(repository, other, root, TAG)
    if isinstance(other, Knowing):
        assert other.complete(root)


def test_a_platform_that_is_not_there(repository, other):
    root = images.multi_platform(repository)
    with pytest.raises(PlatformUnknown):
        copy(repository, other, root, TAG, Options(platforms=(images.Platform("plan9", "mips"),)))


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


def test_the_cause_stands_in_the_ledger(repository, other):
    if not isinstance(other, Ledger):
        pytest.skip("no ledger here")
    root = images.image(repository)
    cause = Cause("pulled", "mate@deck")
    copy(repository, other, root, TAG, Options(cause=cause))
    assert next(other.history(TAG)).cause == cause


def test_eight_copies_of_one_image_at_once(repository, other):
    root = images.multi_platform(repository)
    assert not at_once(*[lambda: copy(repository, other, root, TAG)] * 8)
    assert everything(other, root) == everything(repository, root)
