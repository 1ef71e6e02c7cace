"""What a push, a delete or a rollback does to a tag: told to whoever asked, and refused by rule."""

import logging

import pytest
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.manifest import OCI_MANIFEST, parse_document
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.rules import Immutable, Policy
from killick.server import OPEN, Everybody, application
from killick.wire.extensions import OVERRIDE
from stores import Clock

RELEASE = Tag("1.5.0")
POLICY = Policy((Immutable(),), sparse=True)


@pytest.fixture
def registry():
    return MemoryRegistry(clock=Clock(), policy=POLICY)


@pytest.fixture
def repository(registry):
    return registry.repository("a")


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


@pytest.fixture
def pusher(registry):
    """A client of somebody who may do all but administer."""
    return TestClient(application(registry, Everybody("pull", "push", "delete")))


@pytest.fixture
def builds(repository):
    made = [images.image(repository, {"n": bytes([n])}) for n in range(2)]
    return [(d, repository.open(d).read()) for d in made]


def push(client, raw, reference=RELEASE, query="", **headers):
    return client.put(
        f"/v2/a/manifests/{reference}{query}",
        content=raw,
        headers={"Content-Type": OCI_MANIFEST} | headers,
    )


def changes(answer):
    return answer.headers.get_list("killick-change")


def refusal(answer):
    assert answer.status_code == 403
    (error,) = answer.json()["errors"]
    assert error["code"] == "DENIED"
    return error


def test_every_push_and_delete_says_what_it_changed(client, builds, caplog):
    (one, first), (_, second) = builds
    assert changes(push(client, first, "x")) == ['create; tag="x"']
    caplog.set_level(logging.INFO, "killick.server")
    assert changes(push(client, first, "x")) == ['no-op; tag="x"']
    assert f"a:x stands at {one.digest} already" in caplog.text
    assert changes(push(client, second, "x")) == [f'overwrite; tag="x"; previous="{one.digest}"']
    answer = client.post("/v2/a/_killick/rollback/x")
    assert answer.json()["change"] == "rollback"
    answer = client.post("/v2/a/_killick/rollback/x", json={"digest": str(one.digest)})
    assert (answer.json()["change"], answer.json()["move"]) == ("no-op", None)
    gone = client.delete("/v2/a/manifests/x")
    assert changes(gone) == [f'delete; tag="x"; previous="{one.digest}"']
    told = client.get("/v2/a/_killick/history/x").json()["moves"]
    assert [m["change"] for m in told] == ["delete", "rollback", "overwrite", "create"]


def test_a_push_by_digest_says_it_for_each_tag(client, builds):
    (one, first), _ = builds
    push(client, first, "y")
    assert changes(push(client, first, one.digest)) == []
    answer = push(client, first, one.digest, "?tag=x&tag=y")
    assert changes(answer) == ['create; tag="x"', 'no-op; tag="y"']
    assert answer.headers.get_list("oci-tag") == ["x", "y"]


def test_a_pusher_is_told_what_stands_there_since_when_and_from_whom(client, builds):
    (one, first), (_, second) = builds
    push(client, first)
    error = refusal(push(client, second))
    for part in (f"a:{RELEASE}", str(one.digest), "2026-11-01T12:00:00Z", "anonymous@testclient"):
        assert part in error["message"]
    assert (
        error["detail"].items()
        >= {
            "digest": str(one.digest),
            "since": "2026-11-01T12:00:00.000000Z",
            "actor": "anonymous@testclient",
            "rule": "semver in **",
        }.items()
    )
    assert push(client, first).status_code == 201
    assert client.head(f"/v2/a/manifests/{RELEASE}").headers["docker-content-digest"] == str(
        one.digest
    )


def test_nothing_leads_around_an_immutable_tag(client, builds):
    (one, first), (two, second) = builds
    push(client, first)
    push(client, second, "x")
    refusal(push(client, second, two.digest, f"?tag={RELEASE}"))
    refusal(push(client, second, **{"If-Match": f'"{one.digest}"'}))
    refusal(client.delete(f"/v2/a/manifests/{RELEASE}"))
    refusal(client.delete(f"/v2/a/manifests/{one.digest}"))
    layer = parse_document(first).children()[1].digest
    refusal(client.delete(f"/v2/a/blobs/{layer}"))
    assert client.get(f"/v2/a/manifests/{RELEASE}").content == first
    assert len(client.get(f"/v2/a/_killick/history/{RELEASE}").json()["moves"]) == 1


def test_a_rollback_of_an_immutable_tag_is_refused_too(client, repository, builds):
    (one, first), (_, second) = builds
    push(client, first)
    push(client, second, **OVERRIDE)
    refusal(client.post(f"/v2/a/_killick/rollback/{RELEASE}"))
    refusal(client.post(f"/v2/a/_killick/rollback/{RELEASE}", json={"digest": str(one.digest)}))
    answer = client.post(f"/v2/a/_killick/rollback/{RELEASE}", headers=OVERRIDE)
    assert (answer.status_code, answer.json()["move"]["overriding"]) == (200, True)


def test_a_deleted_immutable_tag_only_comes_back_as_what_it_was(client, builds):
    (_, first), (_, second) = builds
    push(client, first)
    assert client.delete(f"/v2/a/manifests/{RELEASE}", headers=OVERRIDE).status_code == 202
    refusal(push(client, second))
    assert push(client, first).status_code == 201


def test_only_an_admin_overrides_a_rule_and_it_is_on_record(client, pusher, builds):
    (_, first), (_, second) = builds
    push(pusher, first)
    assert "read-only" in refusal(push(pusher, second, **OVERRIDE))["message"]
    refusal(pusher.delete(f"/v2/a/manifests/{RELEASE}", headers=OVERRIDE))
    assert push(client, second, **OVERRIDE).status_code == 201
    told = client.get(f"/v2/a/_killick/history/{RELEASE}").json()["moves"]
    assert [m["overriding"] for m in told] == [True, False]


def test_history_says_what_is_left_of_the_content(client, builds):
    (one, first), (two, second) = builds
    push(client, first, "x")
    push(client, second, "x")
    assert client.delete(f"/v2/a/manifests/{two.digest}").status_code == 202
    told = client.get("/v2/a/_killick/history/x").json()["moves"]
    assert [(m["change"], m["content"]) for m in told] == [
        ("delete", None),
        ("overwrite", "removed"),
        ("create", "present"),
    ]
    for digest, left in ((one.digest, "present"), (two.digest, "removed")):
        answer = client.get(f"/v2/a/_killick/digests/{digest}").json()
        assert answer["content"] == left
    # The extension of the specification has no word for it, and keeps the entries.
    index = client.get("/v2/a/_oci/tag-history/x").json()
    assert [d["digest"] for d in index["manifests"]] == [str(d.digest) for d in (two, two, one)]


def test_a_failed_condition_names_what_stands(client, builds):
    (one, first), (_, second) = builds
    push(client, first, "x")
    for headers in ({"If-Match": f'"{Digest.of(b"")}"'}, {"If-None-Match": "*"}):
        for answer in (
            push(client, second, "x", **headers),
            client.delete("/v2/a/manifests/x", headers=headers),
        ):
            (error,) = answer.json()["errors"]
            assert (answer.status_code, error["code"]) == (412, "PRECONDITION_FAILED")
            assert str(one.digest) in error["message"]
            assert error["detail"]["digest"] == str(one.digest)
    answer = push(client, second, "new", **{"If-Match": f'"{one.digest}"'})
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (412, {"digest": None})


def tags_of(repository):
    return {str(tag): repository.resolve(tag).digest for tag in repository.tags()}


def test_tags_of_one_push_move_together_or_not_at_all(client, pusher, repository, builds):
    (one, first), (two, second) = builds
    for tag in ("a", RELEASE):
        push(client, first, tag)
    query = f"?tag=a&tag=b&tag={RELEASE}&tag=c"
    assert refusal(push(pusher, second, two.digest, query))["detail"]["tag"] == RELEASE
    assert tags_of(repository) == {"a": one.digest, RELEASE: one.digest}
    answer = push(client, second, two.digest, query, **OVERRIDE)
    assert answer.headers.get_list("oci-tag") == ["a", "b", RELEASE, "c"]
    assert [change.split(";")[0] for change in changes(answer)] == [
        "overwrite",
        "create",
        "overwrite",
        "create",
    ]
    assert set(tags_of(repository).values()) == {two.digest}


def test_a_condition_is_about_each_tag_of_a_push_by_digest(client, repository, builds):
    (one, first), (two, second) = builds
    push(client, first, "a")
    query = "?tag=a&tag=b"
    here = {"If-Match": f'"{one.digest}"'}
    refused = push(client, second, two.digest, query, **here)
    assert refused.status_code == 412
    assert "a:b points to nothing" in refused.text
    assert push(client, second, two.digest, query, **{"If-None-Match": "*"}).status_code == 412
    assert tags_of(repository) == {"a": one.digest}
    push(client, first, "b")
    assert push(client, second, two.digest, query, **here).status_code == 201
    assert push(client, first, one.digest, query, **here).status_code == 412
    assert push(client, first, one.digest, "?tag=new", **{"If-None-Match": "*"}).status_code == 201
    assert tags_of(repository) == {"a": two.digest, "b": two.digest, "new": one.digest}
