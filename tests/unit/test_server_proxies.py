"""Behind proxies: their word is taken only where they are trusted, and no further than to them."""

import pytest
from starlette.testclient import TestClient

from guarding import World
from killick.errors import UsageError
from killick.server import BehindProxies, network


async def mirror(scope, receive, send):
    text = f"{scope['client'][0]} {scope['scheme']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})


def seen(peer, headers, *trusted):
    app = BehindProxies(mirror, [network(text) for text in trusted])
    return TestClient(app, client=(peer, 1)).get("/", headers=headers).text


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("10.0.0.1", {}, "10.0.0.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}, "192.0.2.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.2"}, "192.0.2.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "nonsense"}, "10.0.0.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "192.0.2.1, nonsense"}, "10.0.0.1 http"),
        ("10.0.0.1", {"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1 http"),
        ("10.0.0.1", {"X-Forwarded-Proto": "https"}, "10.0.0.1 https"),
        ("10.0.0.1", {"X-Forwarded-Proto": "http, https"}, "10.0.0.1 https"),
        ("10.0.0.1", {"X-Forwarded-Proto": "javascript"}, "10.0.0.1 http"),
        ("192.0.2.9", {"X-Forwarded-For": "10.0.0.1"}, "192.0.2.9 http"),
        ("192.0.2.9", {"X-Forwarded-Proto": "https"}, "192.0.2.9 http"),
        ("testclient", {"X-Forwarded-Proto": "https"}, "testclient http"),
    ],
)
def test_who_is_seen(peer, headers, expected):
    assert seen(peer, headers, "10.0.0.0/8") == expected


def test_nobody_is_trusted_unasked():
    assert seen("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}) == "127.0.0.1 http"


@pytest.mark.parametrize("text", ["", "x", "10.0.0.0/33", "10.0.0.1/8"])
def test_bad_networks(text):
    with pytest.raises(UsageError):
        network(text)


def test_the_realm_has_the_scheme_that_the_proxy_saw(tmp_path):
    world = World(tmp_path)
    world.add("ana")
    app = BehindProxies(world.client().app, [network("10.0.0.1")])
    headers = {"Host": "registry.example", "X-Forwarded-Proto": "https"}
    challenge = TestClient(app, client=("10.0.0.1", 1)).get("/v2/", headers=headers).headers
    assert 'realm="https://registry.example/v2/' in challenge["www-authenticate"]
