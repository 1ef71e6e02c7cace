"""The OpenAPI document is valid, is the one in the docs, and says what the endpoints do."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.manifest import OCI_MANIFEST
from killick.names import Tag
from killick.server import OPEN, application
from killick.server.app import ENDPOINTS
from killick.server.openapi import OPERATIONS, PATHS, document
from killick.server.routes import target_of
from killick.store import Store

DOCS = Path(__file__).parents[2] / "docs" / "openapi.json"
FILLED = {
    "name": "team/app",
    "tag": "1.5",
    "reference": "1.5",
    "digest": f"sha256:{'0' * 64}",
    "upload": "0" * 32,
    "chore": "collect",
}


def test_it_is_valid():
    validate(document())


def test_the_docs_have_the_same():
    assert json.loads(DOCS.read_text()) == document(), "run tools/openapi"


def test_every_endpoint_is_described_and_nothing_else():
    described = {(kind, method) for kind, methods in OPERATIONS.items() for method in methods}
    assert described == {(kind, method) for kind, known in ENDPOINTS.items() for method in known}
    assert PATHS.keys() == ENDPOINTS.keys()


@pytest.mark.parametrize("kind", PATHS)
def test_paths_lead_where_they_say(kind):
    for template in PATHS[kind]:
        assert target_of(template.format_map(FILLED).encode()).kind == kind


@pytest.fixture
def registry(tmp_path):
    with Store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def client(registry):
    return TestClient(application(registry, OPEN))


@pytest.fixture
def check(client):
    """Call the registry; see that status, headers and body are what the document says."""
    told = client.get("/v2/_killick/openapi.json").json()

    def call(method, path, **more):
        target = target_of(path.encode())
        template = PATHS[target.kind][-1 if target.name else 0]
        answer = client.request(method, path, **more)
        operation = told["paths"][template][method.lower()]
        assert str(answer.status_code) in operation["responses"], (method, path, answer.text)
        response = operation["responses"][str(answer.status_code)]
        kind_of_body = answer.headers.get("content-type", "")
        if answer.content and "json" in kind_of_body and "content" in response:
            assert kind_of_body in response["content"]
            schema = response["content"][kind_of_body]["schema"]
            Draft202012Validator(schema | {"components": told["components"]}).validate(
                answer.json()
            )
        for name in set(answer.headers) & {"oci-subject", "oci-tag", "killick-change", "link"}:
            assert name in {header.lower() for header in response.get("headers", ())}
        return answer

    return call


def test_what_is_answered_is_what_is_described(registry, check):
    repository = registry.repository("team/app")
    one, two = (images.image(repository, {"n": bytes([n])}) for n in range(2))
    raw = {d: repository.open(d).read() for d in (one, two)}
    as_image = {"Content-Type": OCI_MANIFEST}
    base = "/v2/team/app"
    for d in (one, two):
        check("PUT", f"{base}/manifests/1.5", content=raw[d], headers=as_image)
    check("PUT", f"{base}/manifests/{one.digest}?tag=a&tag=b", content=raw[one], headers=as_image)
    sbom = images.artifact(repository, one)
    check("PUT", f"{base}/manifests/sbom", content=repository.open(sbom).read(), headers=as_image)
    check("POST", f"{base}/_killick/rollback/1.5", json={"back": 1})
    check("POST", f"{base}/_killick/rollback/1.5", json={"back": 0})
    check("DELETE", f"{base}/manifests/b")
    check("DELETE", f"{base}/manifests/{two.digest}")
    for path in (
        "/v2/",
        "/v2/_catalog?n=1",
        "/v2/_killick/openapi.json",
        "/v2/_oci/ext/discover",
        f"{base}/_oci/ext/discover",
        f"{base}/_oci/tag-history/1.5?n=1",
        f"{base}/_killick/history?n=2",
        f"{base}/_killick/history/1.5",
        f"{base}/_killick/tags?n=1",
        f"{base}/_killick/digests/{one.digest}?n=1",
        f"{base}/_killick/chain?n=2",
        f"{base}/tags/list?n=1",
        f"{base}/referrers/{one.digest}",
        f"{base}/manifests/1.5",
        f"{base}/manifests/nothing",
        f"{base}/blobs/{Digest.of(b'nothing')}",
        f"{base}/_killick/tags?n=x",
        f"{base}/manifests/sha256:x",
    ):
        check("GET", path)
        check("HEAD", path)
    assert Tag("a") in list(repository.tags())


def test_uploads_and_refusals_are_as_described(check):
    base, data = "/v2/team/app", b"a layer"
    digest = Digest.of(data)
    begun = check("POST", f"{base}/blobs/uploads/").headers["location"]
    check("PATCH", begun, content=data[:3], headers={"Content-Range": "0-2"})
    check("PATCH", begun, content=data, headers={"Content-Range": "0-6"})
    check("GET", begun)
    check("PUT", f"{begun}?digest={digest}", content=data[3:])
    check("GET", begun)
    check("DELETE", check("POST", f"{base}/blobs/uploads/").headers["location"])
    check("POST", f"{base}/blobs/uploads/?digest={digest}", content=data)
    check("POST", f"/v2/other/blobs/uploads/?mount={digest}")
    check("POST", f"{base}/blobs/uploads/?digest-algorithm=md5")
    check("GET", f"{base}/blobs/{digest}", headers={"Range": "bytes=1-2"})
    check("GET", f"{base}/blobs/{digest}", headers={"Range": "bytes=99-"})
    check("GET", f"{base}/blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
    check("PUT", f"{base}/manifests/x", content=b"none", headers={"Content-Type": OCI_MANIFEST})
    check("DELETE", f"{base}/manifests/x")
    check("DELETE", f"{base}/manifests/x", headers={"If-Match": f'"{digest}"'})
    check("DELETE", f"{base}/blobs/{digest}")
    check("POST", f"{base}/_killick/rollback/x", content=b"[]")
    check("GET", "/v2/_killick/token")
    check("GET", "/v2/_killick/chores")
    check("POST", "/v2/_killick/chores/collect")
