"""What stands in a store: rows for `images`, and from any digest to what it belongs to."""

import time
from datetime import timedelta
from itertools import islice

import pytest

from images import AMD64, ARM64, artifact, image, index, multi_platform
from killick.digest import Digest
from killick.manifest import Descriptor, parse_document
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import BLOB_TYPE, Cause
from killick.store import reading
from killick.transfer import Options, copy, walk
from stores import NAME, START, damage, put, read

TAG = Tag("1.5")
OTHER = "127.0.0.1:5000/a/b"


def document(repository, d):
    return parse_document(read(repository, d))


def test_a_row_tells_what_the_image_is_for_the_host(store, repository, clock):
    root = multi_platform(repository)
    repository.tag(TAG, root)
    for platform, child in zip((AMD64, ARM64), document(repository, root).manifests, strict=True):
        manifest = document(repository, child)
        (row,) = store.images(platform)
        assert (row.repository, row.tag, row.descriptor, row.back) == (NAME, TAG, root, 0)
        assert row.image_id == manifest.config.digest
        assert row.size == manifest.config.size + sum(layer.size for layer in manifest.layers)
        assert row.created == "2026-11-01T12:00:00Z"
        assert row.moved == START


def test_a_single_manifest_is_the_image_whatever_the_host(store, repository):
    root = image(repository, platform=ARM64)
    repository.tag(TAG, root)
    (row,) = store.images(AMD64)
    assert row.image_id == document(repository, root).config.digest


def test_layers_that_come_twice_count_once(store, repository):
    d = put(repository, b"layer")
    config = put(repository, b"{}")
    manifest = b'{"schemaVersion":2,"config":%s,"layers":[%s,%s]}'
    text = b'{"mediaType":"%s","digest":"%s","size":%d}'
    layer = text % (b"application/vnd.oci.image.layer.v1.tar", str(d.digest).encode(), d.size)
    own = text % (b"application/vnd.oci.image.config.v1+json", str(config.digest).encode(), 2)
    content = manifest % (own, layer, layer)
    root = Descriptor.of("application/vnd.oci.image.manifest.v1+json", content)
    with repository.ingest(root) as ingest:
        import io

        ingest.fill(io.BytesIO(content))
    repository.tag(TAG, root)
    assert next(iter(store.images(AMD64))).size == d.size + config.size


def test_an_index_without_the_host_has_its_own_digest_as_id(store, repository):
    root = index(repository, [(image(repository, platform=ARM64), ARM64)])
    repository.tag(TAG, root)
    (row,) = store.images(AMD64)
    assert row.image_id == root.digest
    assert row.size > 0


def test_an_artifact_has_its_own_digest_as_id(store, repository):
    root = artifact(repository)
    repository.tag(TAG, root)
    (row,) = store.images(AMD64)
    assert (row.image_id, row.created) == (root.digest, None)


def test_a_pull_of_one_platform_is_listed_like_any(store, repository):
    memory = MemoryRegistry().repository("m")
    root = multi_platform(memory)
    copy(memory, repository, root, TAG, Options(platforms=(AMD64,)))
    (row,) = store.images(AMD64)
    config = document(repository, document(repository, root).manifests[0]).config
    assert row.image_id == config.digest


def test_a_config_that_comes_after_its_manifest_is_taken_in(store, repository):
    memory = MemoryRegistry().repository("m")
    root = image(memory)
    for part in (root, *next(walk(memory, root)).children()):
        repository.put(part, memory.open(part))
    repository.tag(TAG, root)
    (row,) = store.images(AMD64)
    assert row.created == "2026-11-01T12:00:00Z"


def test_the_past_has_rows_as_long_as_it_is_held(store, repository, clock):
    versions = [image(repository, {"v": b"%d" % i}) for i in range(3)]
    for d in (versions[0], versions[1], versions[0], versions[2]):
        repository.tag(TAG, d)
        clock.forward(hours=1)
    assert [row.descriptor for row in store.images(AMD64)] == [versions[2]]
    rows = [(row.back, row.descriptor, row.moved) for row in store.images(AMD64, past=True)]
    assert rows == [
        (0, versions[2], START + timedelta(hours=3)),
        (1, versions[0], START + timedelta(hours=2)),
        (2, versions[1], START + timedelta(hours=1)),
    ]
    repository.untag(TAG)
    assert list(store.images(AMD64)) == []
    rows = [(row.back, row.descriptor) for row in store.images(AMD64, past=True)]
    assert rows == [(1, versions[2]), (2, versions[0]), (3, versions[1])]
    repository.delete(versions[0])
    rows = [(row.back, row.descriptor) for row in store.images(AMD64, past=True)]
    assert rows == [(1, versions[2]), (3, versions[1])]


def test_what_is_held_by_digest_alone_has_a_row_without_a_tag(store, repository):
    root = multi_platform(repository)
    artifact(repository, root)
    (row,) = store.images(AMD64)
    assert (row.tag, row.descriptor) == (None, root)
    repository.tag(TAG, root)
    assert [row.tag for row in store.images(AMD64)] == [TAG]
    repository.tag(TAG, image(repository, {"v": b"2"}))
    assert [row.tag for row in store.images(AMD64)] == [TAG]
    repository.keep(root)
    assert [row.tag for row in store.images(AMD64)] == [TAG, None]
    repository.tag(Tag("again"), root)
    assert [row.tag for row in store.images(AMD64)] == [TAG, Tag("again")]


def test_a_damaged_image_is_still_listed(store, repository):
    root = multi_platform(repository)
    repository.tag(TAG, root)
    damage(store, root)
    list(store.verify())
    assert [row.descriptor for row in store.images(AMD64)] == [root]


def test_rows_are_in_the_order_of_names(store):
    for name in ("b", "a", "a-b", "a/c"):
        repository = store.repository(name)
        root = image(repository)
        for tag in ("2", "1", "10"):
            repository.tag(Tag(tag), root)
    rows = [(row.repository, row.tag) for row in store.images(AMD64)]
    assert rows == sorted(rows)
    assert len(rows) == 12
    assert list(store.repositories()) == sorted(["b", "a", "a-b", "a/c"])


def test_ten_thousand_tags_are_listed_at_once(store, repository):
    roots = [multi_platform(store.repository(f"r{i}"), {"v": b"%d" % i}) for i in range(10)]
    with store._context.database.writing() as connection:
        connection.executemany(
            "INSERT INTO tag VALUES ((SELECT id FROM repository WHERE name = ?),"
            " 'local', ?, ?, ?, ?, ?, 0)",
            [
                (f"r{i % 10}", f"t{i}", str(d.digest), d.media_type, d.size, i)
                for i in range(10_000)
                for d in [roots[i % 10]]
            ],
        )
    start = time.process_time()
    assert len(list(store.images(AMD64))) == 10_000
    assert time.process_time() - start < 1


def test_any_digest_is_found_by_its_beginning(store, repository):
    root = multi_platform(repository)
    child = document(repository, root).manifests[0]
    manifest = document(repository, child)
    loose = put(store.repository(OTHER), b"loose")
    expected = [
        (root, "index"), (child, "manifest"), (manifest.config, "config"),
        (manifest.layers[0], "layer"), (loose, "blob"),
    ]  # fmt: skip
    for d, kind in expected:
        for text in (str(d.digest), d.digest.encoded, d.digest.encoded[:12], f"{d.digest}"[:20]):
            (known,) = store.lookup(text)
            assert known.descriptor == Descriptor(d.media_type, d.digest, d.size)
            assert known.kind == kind
            assert known.repositories == ((OTHER,) if d == loose else (NAME,))


@pytest.mark.parametrize("text", ["", "abc", "sha256:", "sha256:abc", "xyzxyz", "%%%%%%", "G" * 64])
def test_what_is_no_beginning_of_a_digest_finds_nothing(store, repository, text):
    image(repository)
    assert store.lookup(text) == []


def test_a_digest_leads_to_its_images(store, repository):
    root = multi_platform(repository, {"v": b"1"})
    other = image(repository, {"v": b"2"})
    for d in [*document(repository, root).manifests, root]:
        assert store.images_with(d.digest) == [root]
    layer = document(repository, other).layers[0]
    assert store.images_with(layer.digest) == [other]
    assert store.images_with(Digest.of(b"nowhere")) == []


def test_sisters_are_the_repositories_of_the_same_registry(store, repository):
    d = put(repository, b"layer")
    for name in (OTHER, "127.0.0.1:5000/c", "127.0.0.1:50000/no", "127.0.0.1:5000x/no"):
        put(store.repository(name), b"layer")
    put(store.repository("127.0.0.1:5000/else"), b"else")
    assert store.sisters(d, "127.0.0.1:5000") == ["a/b", "c"]
    assert store.sisters(Descriptor(BLOB_TYPE, d.digest, d.size), "docker.io") == [
        "library/golftrack"
    ]
    assert store.sisters(d, "ghcr.io") == []


def test_repositories_that_only_observe_are_listed(store, repository):
    seen = Descriptor.of("application/vnd.oci.image.manifest.v1+json", b"x")
    repository.move(TAG, seen, Cause("observed", "x", "docker.io", False))
    assert list(store.repositories()) == [NAME]
    assert list(store.images(AMD64, past=True)) == []


def _steps(database, work):
    """How many instructions of its machine SQLite takes for something."""
    count = 0

    def step():
        nonlocal count
        count += 1

    with database.reading() as connection:
        connection.set_progress_handler(step, 1)
    try:
        work()
    finally:
        with database.reading() as connection:
            connection.set_progress_handler(None, 1)
    return count


def test_a_page_of_when_tags_pointed_to_a_digest_costs_the_same_after_a_long_history(store):
    first, second = store.repository("a"), store.repository("b")
    builds = [[image(place, {"n": bytes([n])}) for n in range(2)] for place in (first, second)]
    assert builds[0] == builds[1]
    one, two = builds[0]
    database = store._context.database

    def page():
        return list(islice(first.holding(one.digest, 60), 10))

    def go(place, count):
        for number in range(count):
            place.move(TAG, (one, two)[number % 2], Cause("pushed", "x@y"))

    go(first, 70)
    few, found = _steps(database, page), page()
    go(first, 300)
    go(second, 300)
    assert page() == found
    assert 0 < _steps(database, page) <= few * 1.2
    with database.reading() as connection:
        values = {"name": "a", "origin": "local", "digest": "x", "before": 1, "page": 1}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {reading._HOLDING}", values).fetchall()
    said = [row[-1] for row in plan]
    by = "move_digest (digest=? AND repository=? AND origin=? AND sequence<?)"
    assert any(by in line for line in said), said
    assert not [line for line in said if "SCAN" in line or "TEMP" in line], said
