"""Headers without measure: answered in time that grows with them, and believed in nothing."""

import time
from contextlib import suppress

import pytest
from starlette.testclient import TestClient

import images
from killick.digest import Digest
from killick.errors import KillickError
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.server import OPEN, READ_ONLY, application
from killick.server.conditions import matches
from killick.server.routes import target_of
from killick.wire import challenge, links, ranges

SMALL, LARGE = 4_000, 64_000
MOST_RATIO = 80
"""Time may grow 16 times where a header does; with its square it would be 256 times."""

SHAPES = {
    "range of commas": (
        lambda t: ranges.requested(t, 10**6),
        lambda n: "bytes=" + "0-1," * (n // 4),
    ),
    "range of digits": (lambda t: ranges.requested(t, 10**6), lambda n: "bytes=" + "9" * n),
    "range of dashes": (lambda t: ranges.requested(t, 10**6), lambda n: "bytes=" + "-" * n),
    "range of spaces": (lambda t: ranges.requested(t, 10**6), lambda n: "bytes=" + " " * n + "1"),
    "content range": (ranges.parse_content_range, lambda n: "bytes " + "1" * n + "-2/3"),
    "content range of spaces": (ranges.parse_content_range, lambda n: " " * n + "bytes 1-2/3"),
    "etags": (lambda t: matches(t, None) or matches(t, _DIGEST), lambda n: '"a",' * (n // 4)),
    "etags of weaks": (lambda t: matches(t, _DIGEST), lambda n: "W/" * (n // 2)),
    "path of slashes": (lambda t: _routed(t), lambda n: "/v2/" + "a/" * (n // 2)),
    "path of percents": (lambda t: _routed(t), lambda n: "/v2/" + "%2e" * (n // 3)),
    "challenge of quotes": (
        lambda t: challenge.parse_challenges([t]),
        lambda n: 'a b="' + "\\" * n,
    ),
    "challenge of commas": (
        lambda t: challenge.parse_challenges([t]),
        lambda n: "a b=c," * (n // 6),
    ),
    "challenge of words": (lambda t: challenge.parse_challenges([t]), lambda n: "a " * (n // 2)),
    "link of brackets": (links.next_page, lambda n: "<" * n),
    "link of parameters": (links.next_page, lambda n: "<a>" + "; b=c" * (n // 5)),
    "link of quotes": (links.next_page, lambda n: '<a>; rel="' + "\\" * n),
}

_DIGEST = Digest.of(b"")


def _routed(text):
    with suppress(KillickError):
        target_of(text.encode())


def best(read, text):
    """Return the least time of some, which load does not lengthen."""
    times = []
    for _ in range(7):
        started = time.perf_counter()
        read(text)
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_header_and_not_with_its_square(shape):
    read, make = SHAPES[shape]
    small, large = best(read, make(SMALL)), best(read, make(LARGE))
    assert large < max(MOST_RATIO * small, 0.005), (small, large)


@pytest.fixture
def client():
    registry = MemoryRegistry()
    repository = registry.repository("a/b")
    d = images.image(repository)
    repository.tag(Tag("1"), d)
    with TestClient(application(registry, OPEN)) as opened:
        opened.layer = next(each for each in repository._content)
        yield opened


def test_a_range_of_a_hundred_thousand_characters_is_answered_at_once(client):
    place = f"/v2/a/b/blobs/{client.layer}"
    for header in ("bytes=" + "0-1," * 25_000, "bytes=" + "0" * 100_000 + "-"):
        started = time.perf_counter()
        answer = client.get(place, headers={"Range": header})
        assert answer.status_code in (200, 206, 416)
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "host",
    [
        *(
            "example.org",
            "example.org/v2/",
            "a?b",
            "a#b",
            "@evil",
            "a\\b",
            "",
            "127.0.0.1:0",
            "[::1",
        ),
        *("x/../../v2/other", "a/v2/a/b/manifests/1?", "\u00e9"),
    ],
)
def test_the_host_header_bends_no_path(client, host):
    """What is asked for is in the request line, whatever the host is said to be."""
    headers = {"Host": host.encode("utf-8")}
    assert client.get("/v2/a/b/manifests/1", headers=headers).status_code == 200
    assert client.get("/v2/a/c/manifests/1", headers=headers).status_code == 404


@pytest.mark.parametrize("host", ["a/v2/?", "x#", "a/../v2/"])
def test_the_host_header_opens_no_door(host):
    registry = MemoryRegistry()
    with TestClient(application(registry, READ_ONLY)) as client:
        answer = client.put("/v2/a/manifests/1", content=b"{}", headers={"Host": host})
    assert answer.status_code == 403


def test_no_other_site_is_let_in(client):
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    for method in ("GET", "OPTIONS"):
        answer = client.request(method, "/v2/", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "header", ["X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Forwarded-Prefix"]
)
def test_headers_that_others_obey_are_not_obeyed(client, header):
    answer = client.get("/v2/a/b/manifests/1", headers={header: "/v2/a/c/manifests/1"})
    assert answer.status_code == 200
    answer = client.get("/v2/a/b/manifests/1", headers={header: "DELETE"})
    assert answer.status_code == 200
    assert client.get("/v2/a/b/manifests/1").status_code == 200
