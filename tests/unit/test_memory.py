"""The registry in memory, where the contract leaves it a choice."""

import io

import pytest

import images
from killick.digest import Digest
from killick.errors import BlobUnknown, DigestMismatch, ManifestUnknown
from killick.manifest import OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag


@pytest.fixture
def registry():
    return MemoryRegistry()


def test_a_name_is_one_repository(registry):
    assert registry.repository("a") is registry.repository("a")
    assert registry.repository("a") is not registry.repository("b")


def test_only_repositories_that_hold_something_are_listed(registry):
    registry.repository("empty")
    images.image(registry.repository("full"))
    assert list(registry.repositories()) == ["full"]


def test_manifests_and_blobs_are_kept_apart(registry):
    repository = registry.repository("a")
    manifest = images.image(repository)
    with pytest.raises(BlobUnknown):
        repository.find(manifest.digest)
    raw = repository.open(manifest).read()
    other = registry.repository("b")
    other.put(Descriptor.of("text/plain", raw), io.BytesIO(raw))
    assert not other.has(manifest)
    with pytest.raises(ManifestUnknown):
        other.resolve(manifest.digest)


def test_even_what_is_here_is_checked_when_it_is_put_again(registry):
    repository = registry.repository("a")
    d = images.put(repository, "text/plain", b"right")
    with pytest.raises(DigestMismatch):
        repository.put(d, io.BytesIO(b"wrong"))


def test_observed_tags_survive_the_deletion_of_content(registry):
    repository = registry.repository("a")
    d = images.image(repository)
    repository.tag(Tag("1"), d)
    repository.delete(d)
    assert [m.cause.kind for m in repository.history(Tag("1"))] == ["deleted", "tagged"]


def test_completeness_needs_every_part(registry):
    repository = registry.repository("a")
    root = images.multi_platform(repository)
    assert repository.complete(root)
    foreign = Descriptor("application/x.nondistributable.tar", Digest.of(b"x"), 1)
    assert repository.complete(foreign)
    blob = images.put(repository, "text/plain", b"x")
    assert repository.complete(blob)
    layer = next(iter(d for d in repository._content if d != blob.digest))
    repository.delete(Descriptor("text/plain", layer, 1))
    assert not repository.complete(root)
    assert not repository.complete(Descriptor.of(OCI_MANIFEST, b"{}"))
