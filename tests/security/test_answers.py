"""What a registry answers leads nowhere else, and is nothing that a browser would run."""

import json
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.manifest import Descriptor
from killick.names import Tag
from killick.server import OPEN, application
from killick.store import Store

EVIL = "evil.example"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
LEADING = (
    *("//", "/\\", "\\\\", "/%5c", "/%2f", "/%2f%2f", "/.//", "/v2//", "/v2/\\", "/v2/%5c%5c"),
    *("///", "/v2/..//", "/v2/a//", "/%09/", "/%0d%0aLocation:%20https://", "/v2/a/%0d%0aX:%20"),
    *("/https:", "/v2/https://", "https://", "/v2/a/blobs/uploads//", "/@", "/v2/@"),
)
TRAILING = ("", "/", "/..", "/%2e%2e", "/v2/", "?next=https://evil.example", "//")
PATHS = [f"{lead}{EVIL}{trail}" for lead in LEADING for trail in TRAILING]
STEERING = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": f"//{EVIL}",
    "Forwarded": f"host={EVIL};proto=https",
    "X-Original-URL": f"//{EVIL}/",
    "Referer": f"https://{EVIL}/",
    "Origin": f"https://{EVIL}",
}
"""Headers by which others were told where an answer should lead."""


@pytest.fixture
def client(tmp_path):
    with Store(tmp_path / "store") as store:
        repository = store.repository("a/b")
        for number in range(3):
            d = images.image(repository, {"n": bytes([number])})
            repository.tag(Tag(f"t{number}"), d)
        with TestClient(application(store, OPEN), follow_redirects=False) as opened:
            yield opened


def leads_here(text):
    """Return whether a browser, and any client, goes on at this registry."""
    parts = urlsplit(text.replace("\\", "/"))
    return not parts.scheme and not parts.netloc and text.startswith("/v2/") and "\\" not in text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("headers", [{}, STEERING], ids=["plain", "steered"])
def test_no_path_is_redirected_to_another_place(client, method, headers):
    client.base_url = "http://registry"
    for path in PATHS:
        if path.startswith("//"):  # the client itself would take this for a host
            path = f"http://registry{path}"
        answer = client.request(method, path, headers=headers)
        assert not 300 <= answer.status_code < 400, (path, answer.headers.get("Location"))
        for header in ("Location", "Link", "Refresh", "Content-Location"):
            assert EVIL not in answer.headers.get(header, "") or method == "POST", (path, header)
        if "Location" in answer.headers:
            assert leads_here(answer.headers["Location"]), path


def test_where_callers_go_on_is_a_path_of_this_registry(client):
    """Not a URL that is put together from what the caller says that the registry is called."""
    begun = client.post("/v2/a/b/blobs/uploads/", headers=STEERING)
    sent = client.patch(begun.headers["Location"], content=b"part", headers=STEERING)
    ended = client.put(
        f"{sent.headers['Location']}?digest={Digest.of(b'part')}", content=b"", headers=STEERING
    )
    document = client.get("/v2/a/b/manifests/t0").content
    kind = {"Content-Type": json.loads(document)["mediaType"]}
    moved = client.put("/v2/a/b/manifests/t9", content=document, headers=STEERING | kind)
    for answer in (begun, sent, ended, moved):
        assert answer.status_code in (201, 202)
        assert leads_here(answer.headers["Location"]), answer.headers["Location"]
    for path in ("/v2/a/b/tags/list", "/v2/a/b/_killick/tags", "/v2/a/b/_killick/history"):
        link = client.get(f"{path}?n=1", headers=STEERING).headers["Link"]
        assert leads_here(link[1 : link.index(">")]), link


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", SCRIPT])
def test_no_document_has_a_type_that_a_browser_runs(client, kind):
    document = json.loads(client.get("/v2/a/b/manifests/t0").content)
    document |= {"annotations": {"title": SCRIPT}}
    for stated in (document | {"mediaType": kind}, document, {**document, "mediaType": None}):
        raw = json.dumps({k: v for k, v in stated.items() if v is not None}).encode()
        put = client.put("/v2/a/b/manifests/evil", content=raw, headers={"Content-Type": kind})
        assert put.status_code in (201, 400, 415), put.text
        if put.status_code == 201:
            got = client.get("/v2/a/b/manifests/evil", headers={"Accept": kind})
            assert is_inert(got), got.headers


def is_inert(answer):
    """Return whether a browser shows an answer as data, whatever it is asked to think of it."""
    kind = answer.headers["Content-Type"].partition(";")[0]
    sniffs = answer.headers.get("X-Content-Type-Options") != "nosniff"
    return not sniffs and (kind == "application/octet-stream" or kind.endswith("json"))


def test_what_is_said_of_images_is_shown_as_data(client, caplog):
    """Blobs, annotations, types and errors: never a page, whatever is in them; nor in a log."""
    caplog.set_level("DEBUG", "killick")
    for content in (SCRIPT.encode(), b"<svg onload=alert(1)>"):
        place = client.post("/v2/a/b/blobs/uploads/").headers["Location"]
        client.put(f"{place}?digest={Digest.of(content)}", content=content)
        got = client.get(f"/v2/a/b/blobs/{Digest.of(content)}", headers={"Accept": "text/html"})
        assert got.content == content
        assert is_inert(got), got.headers
    document = json.loads(client.get("/v2/a/b/manifests/t0").content)
    subject = Descriptor.of(document["mediaType"], client.get("/v2/a/b/manifests/t0").content)
    document |= {
        "subject": subject.to_json(),
        "artifactType": "application/vnd.x",
        "annotations": {"title": SCRIPT},
    }
    raw = json.dumps(document).encode()
    headers = {"Content-Type": document["mediaType"]}
    assert client.put("/v2/a/b/manifests/sig", content=raw, headers=headers).status_code == 201
    for path in (
        f"/v2/a/b/referrers/{subject.digest}",
        f"/v2/{SCRIPT}/tags/list",
        f"/v2/a/b/manifests/{SCRIPT}",
        f"/v2/a/b/blobs/{SCRIPT}",
        f"/v2/a/b/tags/list?n={SCRIPT}",
        f"/v2/_killick/chores/{SCRIPT}",
        f"/{SCRIPT}",
    ):
        assert is_inert(client.get(path, headers={"Accept": "text/html"})), path
    assert SCRIPT not in caplog.text
