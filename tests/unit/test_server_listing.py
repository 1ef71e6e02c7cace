import re

import pytest
from starlette.testclient import TestClient

import images
from killick.manifest import OCI_INDEX
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.server import (
    OPEN,
    READ_ONLY,
    Limits,
    RenamedRegistry,
    application,
    stored_name,
    visible_name,
)
from serving import PlainRegistry


@pytest.fixture
def registry():
    return MemoryRegistry()


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


def pages(client, path, key):
    """Return the lists of all pages."""
    found = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200
        found.append(answer.json()[key])
        match = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        path = match and match[1]
    return found


def test_base(client):
    for path in ("/v2/", "/v2"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_other_paths(client):
    for path in ("/", "/v1/", "/v2/x", "/favicon.ico"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["code"] == "NOT_FOUND"
    bad = client.get("/v2/UPPER/tags/list")
    assert (bad.status_code, bad.json()["errors"][0]["code"]) == (400, "NAME_INVALID")


def test_tags(registry, client):
    repository = registry.repository("a/b")
    d = images.image(repository)
    for name in ("c", "a", "B", "b", "d"):
        repository.tag(Tag(name), d)
    assert client.get("/v2/a/b/tags/list").json() == {
        "name": "a/b",
        "tags": ["B", "a", "b", "c", "d"],
    }
    assert pages(client, "/v2/a/b/tags/list?n=2", "tags") == [["B", "a"], ["b", "c"], ["d"]]
    assert pages(client, "/v2/a/b/tags/list?last=b", "tags") == [["c", "d"]]
    assert pages(client, "/v2/a/b/tags/list?last=zz", "tags") == [[]]
    assert pages(client, "/v2/a/b/tags/list?n=0", "tags") == [[]]
    assert pages(client, "/v2/a/b/tags/list?n=99999999999999999999", "tags")[0][0] == "B"
    assert client.get("/v2/a/b/tags/list?n=x").status_code == 400


def test_tags_of_unknown_and_of_untagged_repositories(registry, client):
    answer = client.get("/v2/nowhere/tags/list")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    for name in ("untagged", "untagged-", "untagge"):
        images.image(registry.repository(name))
    assert client.get("/v2/untagged/tags/list").json()["tags"] == []
    for name in ("untaggec", "untagg", "untagged/x", "untaggee"):
        assert client.get(f"/v2/{name}/tags/list").status_code == 404


def test_catalog(registry, client):
    for name in ("b", "a/x", "a"):
        images.image(registry.repository(name))
    assert client.get("/v2/_catalog").json() == {"repositories": ["a", "a/x", "b"]}
    assert pages(client, "/v2/_catalog?n=2", "repositories") == [["a", "a/x"], ["b"]]


def test_longest_page_is_limited(registry):
    client = TestClient(application(registry, OPEN, Limits(page=2)))
    for name in "abcde":
        images.image(registry.repository(name))
    expected = [["a", "b"], ["c", "d"], ["e"]]
    assert pages(client, "/v2/_catalog?n=100", "repositories") == expected


def test_referrers(registry, client):
    repository = registry.repository("a")
    d = images.image(repository)
    sbom = images.artifact(repository, d)
    images.artifact(repository, d, "application/vnd.example.signature")
    answer = client.get(f"/v2/a/referrers/{d.digest}")
    assert answer.headers["content-type"] == OCI_INDEX
    assert "oci-filters-applied" not in answer.headers
    assert len(answer.json()["manifests"]) == 2
    kind = "application/vnd.example.sbom"
    answer = client.get(f"/v2/a/referrers/{d.digest}", params={"artifactType": kind})
    assert answer.headers["oci-filters-applied"] == "artifactType"
    (found,) = answer.json()["manifests"]
    assert found["digest"] == str(sbom.digest)
    assert found["artifactType"] == kind
    assert found["annotations"] == {"org.example.kind": "sbom"}
    nothing = client.get(f"/v2/a/referrers/{sbom.digest}")
    assert (nothing.status_code, nothing.json()["manifests"]) == (200, [])


def test_referrers_that_do_not_fit_into_one_index_come_in_pages(registry, client):
    repository = registry.repository("a")
    d = images.image(repository)
    for i in range(5):
        images.image(repository, annotations={"x": str(i) * 1_500_000}, subject=d.to_json())
    found = pages(client, f"/v2/a/referrers/{d.digest}", "manifests")
    assert [len(page) for page in found] == [2, 2, 1]
    assert len({m["digest"] for page in found for m in page}) == 5


def test_the_store_under_names_that_a_path_can_have(registry):
    for name in ("docker.io/library/app", "127.0.0.1:5000/a/b_c", "[::1]:5000/x"):
        d = images.image(registry.repository(name))
        registry.repository(name).tag(Tag("1"), d)
    view = RenamedRegistry(registry, stored_name, visible_name)
    client = TestClient(application(view, READ_ONLY))
    names = ["127.0.0.1_5000/a/b_c", "docker.io/library/app"]
    assert client.get("/v2/_catalog").json() == {"repositories": names}
    for name in names:
        assert client.get(f"/v2/{name}/manifests/1").status_code == 200
        assert client.get(f"/v2/{name}/tags/list").json() == {"name": name, "tags": ["1"]}
    assert client.get("/v2/elsewhere/a/tags/list").status_code == 404


def test_a_plain_registry_lists_too():
    registry = PlainRegistry()
    images.image(registry.inner.repository("a"))
    client = TestClient(application(registry))
    assert client.get("/v2/_catalog").json() == {"repositories": ["a"]}
    assert client.get("/v2/a/tags/list").json()["tags"] == []


def test_referrers_come_in_pages_of_a_length_too(registry, client):
    repository = registry.repository("a")
    d = images.image(repository)
    made = {
        str(images.image(repository, subject=d.to_json(), artifactType=kind, number=n).digest)
        for n, kind in enumerate(["a/0", "a/1"] * 3 + ["a/0"])
    }
    found = pages(client, f"/v2/a/referrers/{d.digest}?n=3", "manifests")
    assert [len(page) for page in found] == [3, 3, 1]
    listed = [m["digest"] for page in found for m in page]
    assert listed == sorted(made)
    found = pages(client, f"/v2/a/referrers/{d.digest}?n=1&artifactType=a/1", "manifests")
    assert [len(page) for page in found] == [1, 1, 1]
    # A page goes on behind what was deleted meanwhile.
    first = client.get(f"/v2/a/referrers/{d.digest}?n=3")
    client.delete(f"/v2/a/manifests/{listed[2]}")
    following = client.get(first.links["next"]["url"]).json()["manifests"]
    assert [m["digest"] for m in following] == listed[3:6]
    assert client.get(f"/v2/a/referrers/{d.digest}?n=0").json()["manifests"] == []
    assert client.get(f"/v2/a/referrers/{d.digest}?last=x").status_code == 400
