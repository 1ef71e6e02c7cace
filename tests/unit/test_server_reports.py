"""Reports of what hosts run, over HTTP: who may send them, what is taken, what is told."""

import json
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from killick import inventory
from killick.memory import MemoryRegistry
from killick.observation import Claim, Container, Snapshot
from killick.server import OPEN, READ_ONLY, application
from killick.server.access import Everybody
from killick.wire import reports
from serving import PlainRegistry

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "1" * 64
CONTAINERS = f"/v2/_killick/containers?digest={DIGEST}"
REPORTS = "/v2/_killick/reports"


def snapshot(*identifiers, host="web1"):
    claims = (Claim("container.Image", DIGEST),)
    return Snapshot(
        host, "docker", NOON, tuple(Container(i, i, "golftrack:1.5", claims) for i in identifiers)
    )


def body(said):
    return json.dumps(inventory.to_json(said))


@pytest.fixture
def registry():
    return MemoryRegistry()


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


def test_a_report_is_kept(client, registry):
    answer = client.post(REPORTS, content=body(snapshot("c1", "c2")))
    assert answer.status_code == 201
    assert answer.json() == {"host": "web1", "containers": 2}
    assert list(registry.snapshots()) == [snapshot("c1", "c2")]


def test_containers_are_found_by_digest(client):
    client.post(REPORTS, content=body(snapshot("c1")))
    answer = client.get(CONTAINERS).json()
    assert answer["digest"] == DIGEST
    (entry,) = answer["containers"]
    assert (entry["host"], entry["engine"]) == ("web1", "docker")
    assert entry["first"] == entry["last"] == "2026-11-01T12:00:00.000000Z"
    assert entry["container"]["id"] == "c1"
    assert client.get(CONTAINERS.replace("1" * 64, "2" * 64)).json()["containers"] == []


def test_containers_come_in_pages(client):
    client.post(REPORTS, content=body(snapshot(*"abcde")))
    url, found = f"{CONTAINERS}&n=2", []
    while url:
        answer = client.get(url)
        found += [entry["container"]["id"] for entry in answer.json()["containers"]]
        link = answer.headers.get("Link")
        url = link.partition(">")[0].removeprefix("<") if link else None
    assert sorted(found) == list("abcde")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"host": "web1"}', 400),
        (b'{"host": "web1", "host": "web2"}', 400),
        (json.dumps({"host": "x" * 2000, "engine": "docker", "taken": "now"}).encode(), 413),
    ],
)
def test_what_is_no_report_is_refused(client, registry, content, status):
    answer = client.post(REPORTS, content=content)
    assert answer.status_code == status
    assert answer.json()["errors"]
    assert list(registry.snapshots()) == []


def test_a_report_has_a_greatest_size(client, monkeypatch):
    monkeypatch.setattr("killick.server.reports.MOST_REPORT_BYTES", 100)
    assert client.post(REPORTS, content=body(snapshot("c1"))).status_code == 413


def test_the_digest_has_to_be_named(client):
    assert client.get("/v2/_killick/containers").status_code == 400
    assert client.get("/v2/_killick/containers?digest=1.5").status_code == 400


def test_who_may_only_report_may_not_read_what_others_run(registry):
    client = TestClient(application(registry, Everybody("report")))
    assert client.post(REPORTS, content=body(snapshot("c1"))).status_code == 201
    assert client.get(CONTAINERS).status_code == 403


def test_who_may_pull_may_neither_report_nor_read(registry):
    client = TestClient(application(registry, READ_ONLY))
    assert client.post(REPORTS, content=body(snapshot("c1"))).status_code == 403
    assert client.get(CONTAINERS).status_code == 403
    assert list(registry.snapshots()) == []


def test_other_methods_are_not_possible(client):
    assert client.get(REPORTS).status_code == 405
    assert client.post(CONTAINERS).status_code == 405


def test_a_registry_that_keeps_none_says_so():
    client = TestClient(application(PlainRegistry(), OPEN))
    assert client.post(REPORTS, content=body(snapshot("c1"))).status_code == 404
    assert client.get(CONTAINERS).status_code == 404


def test_it_is_announced(client):
    found = client.get("/v2/_oci/ext/discover").json()["extensions"]
    endpoints = next(e["endpoints"] for e in found if e["name"] == "_killick")
    assert reports.PATH_REPORTS in endpoints
