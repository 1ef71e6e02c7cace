import json

import pytest
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.manifest import OCI_INDEX, OCI_MANIFEST
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.rules import Policy
from killick.server import OPEN, Everybody, application
from killick.wire.extensions import WHOLE
from serving import PlainRegistry

TAG = Tag("1.5")


@pytest.fixture
def registry():
    return MemoryRegistry()


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


def raw_of(repository, d):
    with repository.open(d) as stream:
        return stream.read()


def code(answer):
    return answer.json()["errors"][0]["code"]


def put(client, path, raw, **headers):
    return client.put(path, content=raw, headers={"Content-Type": OCI_MANIFEST} | headers)


def build(repository, text="hello"):
    d = images.image(repository, {"etc/motd": text.encode()})
    return d, raw_of(repository, d)


def test_get_by_tag_and_by_digest_gives_the_bytes(registry, client):
    repository = registry.repository("lib/app")
    d, raw = build(repository)
    repository.tag(TAG, d)
    for reference in (TAG, d.digest):
        answer = client.get(f"/v2/lib/app/manifests/{reference}")
        assert answer.status_code == 200
        assert answer.content == raw
        assert answer.headers["content-type"] == OCI_MANIFEST
        assert answer.headers["docker-content-digest"] == str(d.digest)
        assert answer.headers["etag"] == f'"{d.digest}"'
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
        head = client.head(f"/v2/lib/app/manifests/{reference}")
        assert head.content == b""
        assert head.headers["content-length"] == str(len(raw))


def test_get_of_what_the_caller_has_is_304(registry, client):
    d, _ = build(registry.repository("a"))
    path = f"/v2/a/manifests/{d.digest}"
    for header in (f'"{d.digest}"', f'W/"{d.digest}"', f'"x", "{d.digest}"', "*"):
        answer = client.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_unknown_references(client):
    assert code(client.get("/v2/a/manifests/nope")) == "MANIFEST_UNKNOWN"
    assert client.get(f"/v2/a/manifests/{Digest.of(b'')}").status_code == 404
    assert code(client.get("/v2/a/manifests/sha256:abc")) == "DIGEST_INVALID"
    assert client.get("/v2/a/manifests/-x").status_code == 400


def test_put_by_tag_is_recorded_with_the_caller(registry, client):
    repository = registry.repository("a")
    d, raw = build(repository)
    answer = put(client, f"/v2/a/manifests/{TAG}", raw)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/a/manifests/{d.digest}"
    assert answer.headers["docker-content-digest"] == str(d.digest)
    move = next(repository.history(TAG))
    assert move.to.digest == d.digest
    assert (move.cause.kind, move.cause.actor) == ("pushed", "anonymous@testclient")


def test_put_by_digest_with_tags(registry, client):
    repository = registry.repository("a")
    _, raw = build(repository)
    digest = Digest.of(raw, "sha512")
    answer = put(client, f"/v2/a/manifests/{digest}?tag=x&tag=y", raw)
    assert answer.status_code == 201
    assert answer.headers.get_list("oci-tag") == ["x", "y"]
    assert repository.resolve(Tag("y")).digest == digest
    assert client.get("/v2/a/manifests/x").headers["docker-content-digest"] == str(digest)


def test_put_refuses_what_is_wrong(registry, client):
    repository = registry.repository("a")
    _, raw = build(repository)
    assert code(put(client, f"/v2/a/manifests/{Digest.of(b'x')}", raw)) == "DIGEST_INVALID"
    assert code(put(client, "/v2/a/manifests/x", b"<html>")) == "MANIFEST_INVALID"
    wrong_type = put(client, "/v2/a/manifests/x", raw, **{"Content-Type": OCI_INDEX})
    assert code(wrong_type) == "MANIFEST_INVALID"
    big = put(client, "/v2/a/manifests/x", b" " * (4 * 1024 * 1024 + 1))
    assert (big.status_code, code(big)) == (413, "SIZE_INVALID")
    both = json.loads(raw) | {"manifests": []}
    assert code(put(client, "/v2/a/manifests/x", json.dumps(both).encode())) == "MANIFEST_INVALID"
    assert list(repository.tags()) == []


def sparse_ones(registry):
    """Return the bytes of a manifest and of an index of whose parts none is in `a`."""
    elsewhere = registry.repository("elsewhere")
    _, raw = build(elsewhere)
    return raw, raw_of(elsewhere, images.multi_platform(elsewhere))


@pytest.fixture
def lenient():
    return MemoryRegistry(policy=Policy(sparse=True))


def test_sparse_manifests_are_taken_and_marked(lenient):
    client = TestClient(application(lenient, OPEN))
    raw, index = sparse_ones(lenient)
    assert put(client, "/v2/a/manifests/x", raw).status_code == 201
    assert put(client, "/v2/a/manifests/y", index, **{"Content-Type": OCI_INDEX}).status_code == 201
    tags = client.get("/v2/a/_killick/tags").json()["tags"]
    assert {tag["tag"]: tag["content"] for tag in tags} == {"x": "incomplete", "y": "incomplete"}
    tags = client.get("/v2/elsewhere/_killick/digests/" + str(Digest.of(raw))).json()
    assert tags["content"] == "present"


def test_a_caller_can_ask_for_whole_images_only(lenient):
    client = TestClient(application(lenient, OPEN))
    raw, index = sparse_ones(lenient)
    answer = put(client, "/v2/a/manifests/x", raw, **WHOLE)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    as_index = {"Content-Type": OCI_INDEX}
    assert put(client, "/v2/a/manifests/y", index, **as_index, **WHOLE).status_code == 201
    put(client, "/v2/a/manifests/x", raw)
    assert client.head("/v2/a/manifests/x").status_code == 200
    assert client.head("/v2/a/manifests/x", headers=WHOLE).status_code == 404
    assert client.head("/v2/a/manifests/y", headers=WHOLE).status_code == 200
    whole = f"/v2/elsewhere/manifests/{Digest.of(raw)}"
    assert client.head(whole, headers=WHOLE).status_code == 200


def test_a_registry_can_insist_on_whole_images(registry):
    client = TestClient(application(registry, OPEN))
    raw, index = sparse_ones(registry)
    answer = put(client, "/v2/a/manifests/x", raw)
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert len(answer.json()["errors"][0]["detail"]["digests"]) == 2
    answer = put(client, "/v2/a/manifests/y", index, **{"Content-Type": OCI_INDEX})
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_put_says_that_the_subject_was_seen(registry, client):
    repository = registry.repository("a")
    d, _ = build(repository)
    artifact = images.artifact(repository, d)
    answer = put(client, "/v2/a/manifests/x", raw_of(repository, artifact))
    assert answer.headers["oci-subject"] == str(d.digest)


def test_compare_and_swap(registry, client):
    repository = registry.repository("a")
    (one, raw_one), (two, raw_two) = build(repository, "1"), build(repository, "2")
    path = f"/v2/a/manifests/{TAG}"
    assert put(client, path, raw_one, **{"If-Match": "*"}).status_code == 412
    assert put(client, path, raw_one, **{"If-None-Match": "*"}).status_code == 201
    refused = put(client, path, raw_two, **{"If-None-Match": "*"})
    assert (refused.status_code, code(refused)) == (412, "PRECONDITION_FAILED")
    assert str(one.digest) in refused.text
    assert put(client, path, raw_two, **{"If-Match": f'"{two.digest}"'}).status_code == 412
    assert put(client, path, raw_two, **{"If-Match": f'"{one.digest}"'}).status_code == 201
    assert repository.resolve(TAG).digest == two.digest
    stale = {"If-Match": f'"{one.digest}"'}
    assert client.delete(path, headers=stale).status_code == 412
    assert client.delete(path, headers={"If-Match": f'"{two.digest}"'}).status_code == 202
    assert list(repository.tags()) == []


def test_delete_of_a_tag_keeps_the_manifest(registry, client):
    repository = registry.repository("a")
    d, _ = build(repository)
    repository.tag(TAG, d)
    assert client.delete(f"/v2/a/manifests/{TAG}").status_code == 202
    assert client.delete(f"/v2/a/manifests/{TAG}").status_code == 404
    assert client.get(f"/v2/a/manifests/{d.digest}").status_code == 200
    assert next(repository.history(TAG)).cause.kind == "deleted"


def test_delete_by_digest_takes_the_tags_along(registry, client):
    repository = registry.repository("a")
    d, _ = build(repository)
    repository.tag(TAG, d)
    assert client.delete(f"/v2/a/manifests/{d.digest}").status_code == 202
    assert client.get(f"/v2/a/manifests/{TAG}").status_code == 404
    assert client.delete(f"/v2/a/manifests/{d.digest}").status_code == 404
    cause = next(repository.history(TAG)).cause
    assert (cause.kind, cause.actor) == ("deleted", "anonymous@testclient")


def test_who_may_not_write_is_told_why(registry):
    client = TestClient(application(registry, Everybody("pull", why="come back with an account")))
    d, raw = build(registry.repository("a"))
    for answer in (
        put(client, "/v2/a/manifests/x", raw),
        client.delete(f"/v2/a/manifests/{d.digest}"),
        client.delete(f"/v2/a/blobs/{d.digest}"),
        client.post("/v2/a/blobs/uploads/"),
    ):
        assert (answer.status_code, code(answer)) == (403, "DENIED")
        assert "come back with an account" in answer.text
    assert client.get(f"/v2/a/manifests/{d.digest}").status_code == 200


def test_a_registry_without_capabilities_is_served_too():
    registry = PlainRegistry()
    client = TestClient(application(registry, OPEN))
    d, raw = build(registry.inner.repository("a"))
    assert put(client, f"/v2/a/manifests/{TAG}", raw).status_code == 201
    guarded = put(client, f"/v2/a/manifests/{TAG}", raw, **{"If-Match": "*"})
    assert (guarded.status_code, code(guarded)) == (405, "UNSUPPORTED")
    assert code(client.delete(f"/v2/a/manifests/{d.digest}")) == "UNSUPPORTED"
    assert client.delete(f"/v2/a/manifests/{TAG}").status_code == 202
    assert client.get(f"/v2/a/referrers/{d.digest}").status_code == 404
