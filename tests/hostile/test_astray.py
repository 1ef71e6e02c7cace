"""Ways that lead elsewhere, and doors that do not open; the ledger of a trap stays empty."""

import io
import json

import pytest

from hostile.liar import ACCESS, SECRET, fails
from killick.client import RemoteRegistry
from killick.errors import (
    Denied,
    KillickError,
    LimitExceeded,
    ProtocolError,
    RateLimited,
    Unauthorized,
    Unreachable,
)
from killick.manifest import Descriptor
from lying import Reply, Site, refused


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_another_port_bring_no_credentials(liar, site, trap, status):
    liar.lie = lambda seen, reply: Reply(status, b"", {"Location": f"{trap.url}/x"})
    fails(site, KillickError, trap)
    assert trap.seen


def test_redirects_in_a_circle(liar, site):
    liar.lie = lambda seen, reply: Reply(302, b"", {"Location": seen.target})
    fails(site, ProtocolError)
    assert len(site.seen) <= 4


def test_redirects_without_end(liar, site):
    liar.lie = lambda seen, reply: Reply(302, b"", {"Location": f"/v2/x/{next(liar.numbers)}"})
    fails(site, ProtocolError)
    assert len(site.seen) <= 8


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "0.0.0.0",
        "0",
        "2852039166",
        "0xa9fea9fe",
        "224.0.0.1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_redirects_to_forbidden_places(liar, site, scheme, host):
    liar.lie = lambda seen, reply: Reply(307, b"", {"Location": f"{scheme}://{host}/x"})
    fails(site, (Denied, ProtocolError))
    assert len(site.seen) <= 3


def test_redirects_to_plain_http_elsewhere(liar, site):
    liar.lie = lambda seen, reply: Reply(307, b"", {"Location": "http://example.org/x"})
    fails(site, Denied)


def test_a_401_for_ever(liar, site):
    liar.lie = lambda seen, reply: refused(401, **{"WWW-Authenticate": 'Basic realm="x"'})
    fails(site, Unauthorized)
    assert len(site.seen) <= 4


def test_a_401_for_ever_with_tokens(liar):
    tokens = []

    def both(seen):
        if seen.path == "/token":
            tokens.append(seen)
            return Reply(200, json.dumps({"token": f"t{len(tokens)}"}).encode())
        return refused(401, **{"WWW-Authenticate": f'Bearer realm="{site.url}/token"'})

    with Site(both) as site:
        fails(site, Unauthorized)
    assert len(tokens) <= 2


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        ",,,,",
        "Bearer",
        'Bearer realm=""',
        'Bearer realm="not a url"',
        'Bearer realm="ftp://x/"',
        'Bearer realm="http://169.254.169.254/token"',
        'Bearer realm="https://169.254.169.254/token"',
        'Bearer realm="http://example.org/token"',
        'Bearer realm="https://user:pw@127.0.0.1/token"',
        "Bearer realm=" + "x" * 60_000,
        'Digest realm="x", nonce="y"',
        '\x00\x01"\\',
    ],
)
def test_odd_challenges(liar, site, challenge):
    liar.lie = lambda seen, reply: refused(401, **{"WWW-Authenticate": challenge})
    liar.challenge = challenge
    fails(site, (Unauthorized, ProtocolError, Denied, Unreachable))
    assert len(site.seen) <= 4


def test_many_challenges(liar, site, trap):
    many = [f'Bearer realm="{trap.url}/{i}"' for i in range(50)]
    liar.challenge = many
    fails(site, KillickError)
    assert len(trap.seen) <= 2


def test_a_realm_at_another_host(liar, site, trap):
    """127.0.0.1 and localhost are two hosts: the password stays away from the second."""
    foreign = trap.url.replace("127.0.0.1", "localhost")
    liar.challenge = f'Bearer realm="{foreign}/token"'
    fails(site, ProtocolError, trap)
    assert len(trap.seen) <= 2


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 10_000_000,
        json.dumps({"token": "x" * 10_000_000}).encode(),
        b"<html>",
        b"{}",
        b'{"token": "a b"}',
        b'{"token": "a\\r\\nSet-Cookie: x"}',
        b'{"token": null, "access_token": 7}',
        b"[" * 10_000,
    ],
    ids=["large", "large-token", "page", "none", "space", "injection", "types", "deep"],
)
def test_odd_tokens(liar, site, body):
    with Site(lambda seen: Reply(200, body)) as tokens:
        liar.challenge = f'Bearer realm="{tokens.url}/token"'
        fails(site, (ProtocolError, LimitExceeded))
    assert len(tokens.seen) <= 2


def test_a_token_server_that_redirects(liar, site, trap):
    with Site(lambda seen: Reply(307, b"", {"Location": f"{trap.url}/t"})) as tokens:
        liar.challenge = f'Bearer realm="{tokens.url}/token"'
        fails(site, ProtocolError, trap)


def test_a_token_server_with_a_challenge_of_its_own(liar, site):
    greedy = lambda seen: refused(401, **{"WWW-Authenticate": 'Basic realm="more"'})  # noqa: E731
    with Site(greedy) as tokens:
        liar.challenge = f'Bearer realm="{tokens.url}/token"'
        fails(site, Unauthorized)
    assert len(tokens.seen) == 1


@pytest.mark.parametrize(
    ("after", "most"),
    [
        ("0", 3),
        ("1", 3),
        ("3600", 2),
        ("999999999999999999999", 2),
        ("-1", 3),
        ("soon", 3),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 2),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 3),
        ("", 3),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_not_now(liar, site, status, after, most):
    liar.lie = lambda seen, reply: refused(status, **{"Retry-After": after})
    fails(site, RateLimited if status == 429 else Unreachable)
    assert len(site.seen) <= most + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/x",
        "https://169.254.169.254/x",
        "ftp://x/",
        "http://u:p@127.0.0.1/",
        "//0.0.0.0/x",
    ],
)
def test_a_place_for_uploads_that_is_forbidden(liar, site, location):
    liar.lie = lambda seen, reply: Reply(202, b"", {"Location": location})
    with RemoteRegistry(site.domain, ACCESS) as registry:
        with pytest.raises((Denied, ProtocolError)):
            registry.repository("a/b").put(Descriptor.of("x", b"hello"), io.BytesIO(b"hello"))
    assert all(s.method == "POST" for s in site.seen)


def test_a_place_for_uploads_at_another_port(liar, site, trap):
    liar.lie = lambda seen, reply: Reply(202, b"", {"Location": f"{trap.url}/u"})
    trap.answer = lambda seen: refused(401, **{"WWW-Authenticate": 'Basic realm="gimme"'})
    with RemoteRegistry(site.domain, ACCESS) as registry:
        with pytest.raises(KillickError):
            registry.repository("a/b").put(Descriptor.of("x", b"hello"), io.BytesIO(b"hello"))
    assert trap.seen
    assert trap.secrets == []
    assert not trap.holds(SECRET)
