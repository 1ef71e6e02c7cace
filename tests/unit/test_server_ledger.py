"""Tag history over HTTP: the `_oci` extension, and our own."""

import pytest
from starlette.testclient import TestClient

import images
from killick.manifest import OCI_INDEX
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.repository import Cause
from killick.server import OPEN, READ_ONLY, application
from killick.wire.tag_history import EVENT, TIMESTAMP
from serving import PlainRegistry
from stores import Clock
from unit.test_server_listing import pages

TAG = Tag("1.5")
PUSHED = Cause("pushed", "mate@deck")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(clock):
    return MemoryRegistry(clock=clock)


@pytest.fixture
def repository(registry):
    return registry.repository("team/app")


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


@pytest.fixture
def builds(repository, clock):
    """Three images that 1.5 pointed to, a minute after each other, and then went; 1.6 stands."""
    made = [images.image(repository, {"n": bytes([n])}) for n in range(3)]
    for d in made:
        clock.forward(minutes=1)
        repository.move(TAG, d, PUSHED)
    clock.forward(minutes=1)
    repository.move(Tag("1.6"), made[1], PUSHED)
    repository.move(TAG, None, Cause("deleted", "bosun@deck"))
    return made


def announced(client, path):
    return {entry["name"]: entry for entry in client.get(path).json()["extensions"]}


@pytest.mark.parametrize("path", ["/v2/_oci/ext/discover", "/v2/team/app/_oci/ext/discover"])
def test_discovery_says_what_there_is(client, path):
    found = announced(client, path)
    assert "/v2/<name>/_oci/tag-history/<tag>" in found["_oci"]["endpoints"]
    assert found["_killick"]["features"] == ["compare-and-swap", "ledger-chain"]
    assert all(entry["url"] and entry["description"] for entry in found.values())


def test_a_registry_without_a_ledger_says_so():
    client = TestClient(application(PlainRegistry(), OPEN))
    found = announced(client, "/v2/_oci/ext/discover")
    assert found.keys() == {"_oci"}
    assert not any("tag-history" in path for path in found["_oci"]["endpoints"])
    for path in ("_oci/tag-history/x", "_killick/history", "_killick/tags"):
        assert client.get(f"/v2/a/{path}").status_code == 404
    assert client.post("/v2/a/_killick/rollback/x").status_code == 404


def test_tag_history_is_an_index_newest_first(client, builds):
    answer = client.get(f"/v2/team/app/_oci/tag-history/{TAG}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
    listed = answer.json()["manifests"]
    assert [entry["digest"] for entry in listed] == [str(builds[n].digest) for n in (2, 2, 1, 0)]
    assert [entry["annotations"][EVENT] for entry in listed] == ["deleted", *["created"] * 3]
    assert listed[-1]["annotations"][TIMESTAMP] == "2026-11-01T12:01:00.000000Z"
    assert listed[0]["size"] == builds[2].size


def test_tag_history_of_what_never_was_is_empty(client, builds):
    for path in ("team/app/_oci/tag-history/none", "nobody/_oci/tag-history/none"):
        answer = client.get(f"/v2/{path}")
        assert (answer.status_code, answer.json()["manifests"]) == (200, [])


def test_tag_history_in_parts(client, builds):
    path = f"/v2/team/app/_oci/tag-history/{TAG}"

    def digests(query):
        answer = client.get(path + query)
        assert answer.status_code == 200
        return [entry["digest"] for entry in answer.json()["manifests"]]

    first, second, third = (str(d.digest) for d in builds)
    assert digests("?n=0") == []
    assert digests("?before=2026-11-01T12:02:00Z") == [first]
    assert digests("?since=2026-11-01T12:03:00Z") == [third, third]
    assert digests("?before=2026-11-01T12:03:00Z&since=2026-11-01T12:02:00Z") == [second]
    assert digests(f"?digest={second}") == [second]
    assert digests("?digest=sha256:" + "0" * 64) == []
    whole = [entry for page in pages(client, f"{path}?n=1", "manifests") for entry in page]
    assert whole == client.get(path).json()["manifests"]
    since = [
        e for p in pages(client, f"{path}?n=1&since=2026-11-01T12:03:00Z", "manifests") for e in p
    ]
    assert [entry["digest"] for entry in since] == [third, third]
    for wrong in ("n=x", "before=soon", "since=13", "digest=abc", "sequence=-1"):
        assert client.get(f"{path}?{wrong}").status_code == 400
    assert client.get("/v2/team/app/_oci/tag-history/-x").status_code == 400


def test_history_tells_who_and_how(client, builds):
    answer = client.get(f"/v2/team/app/_killick/history/{TAG}").json()
    assert answer["name"] == "team/app"
    newest, before, *_ = answer["moves"]
    assert (newest["kind"], newest["actor"], newest["digest"]) == ("deleted", "bosun@deck", None)
    assert newest["previous"] == before["digest"] == str(builds[2].digest)
    assert (newest["authoritative"], newest["repository"]) == (True, "team/app")
    everything = client.get("/v2/team/app/_killick/history").json()["moves"]
    assert [move["sequence"] for move in everything] == [5, 4, 3, 2, 1]
    for path in ("history", f"history/{TAG}"):
        path = f"/v2/team/app/_killick/{path}"
        paged = [move for page in pages(client, f"{path}?n=2", "moves") for move in page]
        assert paged == client.get(path).json()["moves"]
    assert client.get("/v2/nobody/_killick/history").json()["moves"] == []
    assert client.get("/v2/team/app/_killick/history?before=x").status_code == 400


def test_tags_with_digest_and_mover_in_one_page(client, repository, builds):
    repository.move(Tag("a"), builds[0], PUSHED)
    older, newer = client.get("/v2/team/app/_killick/tags").json()["tags"]
    assert (older["tag"], older["time"]) == ("1.6", "2026-11-01T12:04:00.000000Z")
    assert (newer["tag"], newer["digest"], newer["actor"]) == (
        "a",
        str(builds[0].digest),
        "mate@deck",
    )
    paged = pages(client, "/v2/team/app/_killick/tags?n=1", "tags")
    assert [page[0]["tag"] for page in paged] == ["1.6", "a"]


def test_a_digest_has_tags_now_and_had_others(client, builds):
    def asked(digest, query=""):
        return client.get(f"/v2/team/app/_killick/digests/{digest}{query}").json()["tags"]

    now, then = asked(builds[1].digest)
    assert (now["tag"], now["until"]) == ("1.6", None)
    assert then == {
        "tag": "1.5",
        "since": "2026-11-01T12:02:00.000000Z",
        "until": "2026-11-01T12:03:00.000000Z",
        "kind": "pushed",
        "actor": "mate@deck",
    }
    path = f"/v2/team/app/_killick/digests/{builds[1].digest}?n=1"
    assert pages(client, path, "tags") == [[now], [then]]
    assert asked("sha256:" + "0" * 64) == []
    assert client.get("/v2/team/app/_killick/digests/abc").status_code == 400


def rolled_back(client, tag, body=None, **headers):
    return client.post(f"/v2/team/app/_killick/rollback/{tag}", json=body, headers=headers)


def test_rollback(client, repository, builds):
    for d in builds:
        repository.move(TAG, d, PUSHED)
    answer = rolled_back(client, TAG)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["digest"], told["previous"]) == (str(builds[1].digest), str(builds[2].digest))
    assert (told["move"]["kind"], told["move"]["actor"]) == (
        "rolled-back",
        "anonymous@testclient",
    )
    assert repository.resolve(TAG) == builds[1]
    assert rolled_back(client, TAG, {"digest": str(builds[0].digest)}).status_code == 200
    assert repository.resolve(TAG) == builds[0]
    again = rolled_back(client, TAG, {"digest": str(builds[0].digest)})
    assert (again.status_code, again.json()["move"]) == (200, None)
    stale = rolled_back(client, TAG, {"back": 1}, **{"If-Match": f'"{builds[2].digest}"'})
    assert (stale.status_code, str(builds[0].digest) in stale.text) == (412, True)


def test_a_deleted_tag_is_rolled_back_to_what_it_was(client, repository, builds):
    assert rolled_back(client, TAG).status_code == 200
    assert repository.resolve(TAG) == builds[2]


def test_a_rollback_that_can_not_be(client, repository, builds):
    never = images.image(repository, {"never": b"tagged"})
    for body, status in (
        ({"digest": str(never.digest)}, 404),
        ({"back": 99}, 404),
        ({"back": -1}, 400),
        ({"digest": "abc"}, 400),
        ({"digest": str(builds[0].digest), "back": 1}, 400),
        ([], 400),
        ({"to": "~1"}, 400),
    ):
        assert rolled_back(client, TAG, body).status_code == status, body
    wrong = client.post(f"/v2/team/app/_killick/rollback/{TAG}", content=b"{")
    assert wrong.status_code == 400
    assert rolled_back(client, "none").status_code == 404
    assert client.get(f"/v2/team/app/_killick/rollback/{TAG}").status_code == 405
    assert TAG not in list(repository.tags())


def test_who_may_only_read_rolls_nothing_back(registry, builds):
    client = TestClient(application(registry, READ_ONLY))
    assert rolled_back(client, TAG).status_code == 403
    assert client.get(f"/v2/team/app/_killick/history/{TAG}").status_code == 200
