"""What is noted of requests, and what of it callers see."""

import json

import pytest
from starlette.testclient import TestClient

from killick.errors import StoreError, Unauthorized
from killick.memory import MemoryRegistry
from killick.server import OPEN, READ_ONLY, Limits, application
from killick.server.accesslog import AccessLog
from killick.server.operations import Operations
from killick.server.recording import Recorder, RequestIds
from killick.server.routes import target_of


class Kept:
    """A log that keeps what it is told."""

    def __init__(self):
        self.all = []

    def add(self, seen):
        self.all.append(seen)

    def close(self):
        pass


@pytest.fixture
def log():
    return Kept()


def client_of(log, gate=OPEN, address=("127.0.0.1", 4000), **operations):
    settings = Operations(Recorder(log=log), **operations)
    app = application(MemoryRegistry(), gate, Limits(), operations=settings)
    return TestClient(app, client=address, raise_server_exceptions=False)


def test_every_request_is_noted_with_its_route(log):
    client = client_of(log)
    client.get("/v2/")
    client.get("/v2/a/b/manifests/1")
    client.post("/v2/a/b/blobs/uploads/?digest=sha256:" + "0" * 64, content=b"abc")
    client.get("/elsewhere")
    client.request("BREW", "/v2/")
    told = [(s.method, s.route, s.status, s.received, s.caller) for s in log.all]
    assert told == [
        ("GET", "base", 200, 0, "anonymous"),
        ("GET", "manifest", 404, 0, "anonymous"),
        ("POST", "uploads", 400, 3, "anonymous"),
        ("GET", "none", 404, 0, "-"),
        ("BREW", "base", 405, 0, "-"),
    ]
    assert log.all[0].path == "/v2/"
    assert log.all[0].sent == 2
    assert log.all[0].client == "127.0.0.1"


def test_a_crash_is_noted_too(log, monkeypatch):
    monkeypatch.setattr("killick.server.app.target_of", lambda path: 1 / 0)
    assert client_of(log).get("/v2/").status_code == 500
    assert log.all[0].status == 500


def test_a_request_has_an_id_which_the_answer_carries(log):
    client = client_of(log)
    made = [client.get("/v2/").headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2
    assert [s.request for s in log.all] == made
    assert client.get("/v2/", headers={"x-request-id": "abc.1-X_9"}).headers["x-request-id"] == (
        "abc.1-X_9"
    )


@pytest.mark.parametrize("given", [b"", b"a b", b"a" * 65, b"\xff", b"-a", b"a\x1b[2J", b'a"'])
def test_an_id_that_is_not_sane_is_not_taken(given):
    ids = RequestIds()
    made = ids.of(given)
    assert made.encode() != given
    assert made != ids.of(given)


def test_secrets_are_not_noted(log, tmp_path):
    path = tmp_path / "log"
    settings = Operations(Recorder(log=AccessLog(path, lambda at, seen: f"{seen}\n")))
    app = application(MemoryRegistry(), OPEN, operations=settings)
    with TestClient(app) as client:
        secret = {"authorization": "Basic Y2FuYXJ5OmNhbmFyeQ=="}
        client.get("/v2/?token=canary", headers=secret)
    assert path.read_text()
    assert "canary" not in path.read_text()
    assert "Y2FuYXJ5" not in path.read_text()


def test_health_and_readiness(log):
    client = client_of(log)
    assert client.get("/healthz").json() == {"status": "up"}
    assert client.get("/readyz").json() == {"status": "ready", "read_only": False}
    assert client_of(log, read_only=True).get("/readyz").json()["read_only"] is True
    assert [s.route for s in log.all[:2]] == ["healthz", "readyz"]


def test_a_store_that_can_not_work_is_not_ready_and_its_paths_are_not_told(log):
    asked = []

    def probe():
        asked.append(1)
        raise StoreError("/secret/place: Input/output error")

    client = client_of(log, probe=probe)
    answers = [client.get("/readyz") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert "secret" not in answers[0].text
    assert len(asked) < 5
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("show", "address", "headers", "gate", "status"),
    [
        ("loopback", "127.0.0.1", {}, READ_ONLY, 200),
        ("loopback", "::1", {}, READ_ONLY, 200),
        ("loopback", "192.0.2.1", {}, READ_ONLY, 403),
        ("loopback", "192.0.2.1", {}, OPEN, 200),
        ("loopback", "127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, READ_ONLY, 403),
        ("loopback", "127.0.0.1", {"forwarded": "for=192.0.2.1"}, READ_ONLY, 403),
        ("admin", "127.0.0.1", {}, READ_ONLY, 403),
        ("admin", "127.0.0.1", {}, OPEN, 200),
        ("all", "192.0.2.1", {}, READ_ONLY, 200),
        ("off", "127.0.0.1", {}, OPEN, 404),
    ],
)
def test_who_may_see_the_figures(log, show, address, headers, gate, status):
    client = client_of(log, gate, (address, 4000), show=show)
    assert client.get("/metrics", headers=headers).status_code == status


def test_credentials_are_asked_for_the_figures(log):
    class Locked:
        def recall(self, credentials):
            return None

        def identify(self, credentials, who):
            raise Unauthorized("log in")

        def challenge(self, realm, need, repository, source=None):
            return f'Bearer realm="{realm}"'

    assert client_of(log, Locked(), show="admin").get("/metrics").status_code == 401


def test_the_figures(log):
    client = client_of(log, gauges=lambda: ["killick_uploads_open 3"])
    client.get("/v2/")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'killick_http_requests_total{method="GET",route="base",status="200"} 1' in answer.text
    assert answer.text.endswith("killick_uploads_open 3\n")


def test_moves_of_tags_are_counted_by_what_they_did(log):
    client = client_of(log)
    media_type = "application/vnd.oci.image.index.v1+json"
    empty = {"schemaVersion": 2, "mediaType": media_type, "manifests": []}
    headers = {"content-type": media_type}
    for document in (empty, empty | {"annotations": {}}, empty | {"annotations": {}}):
        body = json.dumps(document).encode()
        answer = client.put("/v2/a/manifests/1", content=body, headers=headers)
        assert answer.status_code == 201, answer.text
    assert client.post("/v2/a/_killick/rollback/1").status_code == 200
    assert client.delete("/v2/a/manifests/1").status_code == 202
    told = client.get("/metrics").text.splitlines()
    for change in ("create", "overwrite", "no-op", "rollback", "delete"):
        assert f'killick_tag_moves_total{{change="{change}"}} 1' in told


def test_chores_have_paths_of_their_own():
    assert target_of(b"/v2/_killick/chores") == ("chores", "", "")
    assert target_of(b"/v2/_killick/chores/collect") == ("chore", "", "collect")
    assert client_of(Kept()).get("/v2/_killick/chores").status_code == 404
    assert client_of(Kept(), READ_ONLY).get("/v2/_killick/chores").status_code == 403
