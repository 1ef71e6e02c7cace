"""Pulls from a registry that lies, on real sockets.

Whatever it does: the right error, in bounded time, after a bounded number of requests; nothing
wrong in the target; and not one byte of a credential at any other port, by the ledger of a trap.
"""

import base64
import io
import itertools
import json
import socket
import struct
import time
import zlib

import pytest

import images
from killick.client import Access, RemoteRegistry
from killick.client.credential import Credential
from killick.digest import Digest
from killick.errors import (
    ContentError,
    Denied,
    DigestMismatch,
    KillickError,
    LimitExceeded,
    NotFound,
    ProtocolError,
    RateLimited,
    Unacceptable,
    Unauthorized,
    Unreachable,
    UnverifiableDigest,
)
from killick.manifest import DOCKER_SCHEMA_1, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.transfer import copy
from lying import HANG_UP, Honest, Reply, Site, refused

SECRET = "canary-s3cret"
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
TAG = Tag("1.5")
MOST_SECONDS = 8.0
MOST_REQUESTS = 40


class Login:
    def find(self, domain, path=None):
        return Credential("me", SECRET)


ACCESS = Access(credentials=Login(), timeout=0.5, attempts=3, patience=1.0)


class Liar(Honest):
    """A registry behind Basic authentication, with one image of two platforms."""

    challenge = 'Basic realm="x"'
    sent = 0

    def __init__(self):
        super().__init__()
        self.root = images.multi_platform(self.repository(), {"data": bytes(100_000)})
        self.repository().tag(TAG, self.root)
        self.numbers = itertools.count()

    def __call__(self, seen):
        if seen.headers.get("authorization") != BASIC:
            return refused(401, "UNAUTHORIZED", **{"WWW-Authenticate": self.challenge})
        return super().__call__(seen)

    def endless(self, piece=b"x" * 65536):
        """Yield without end, and count."""
        while True:
            self.sent += len(piece)
            yield piece


@pytest.fixture
def liar():
    return Liar()


@pytest.fixture
def trap():
    """A place where nothing secret may ever arrive."""
    with Site(lambda seen: Reply(200, b"trapped", {"Content-Type": OCI_MANIFEST})) as trap:
        yield trap


@pytest.fixture
def site(liar):
    with Site(liar) as site:
        yield site


def pull(site, ref=TAG):
    """Pull by tag into memory, and return the target and the error, if any."""
    target = MemoryRegistry().repository("target")
    started = time.monotonic()
    error = None
    with RemoteRegistry(site.domain, ACCESS) as registry:
        source = registry.repository("a/b")
        try:
            copy(source, target, source.resolve(ref), TAG)
        except KillickError as caught:
            error = caught
    assert time.monotonic() - started < MOST_SECONDS
    assert len(site.seen) <= MOST_REQUESTS
    return target, error


def fails(site, kind, trap=None):
    """Check that a pull fails in the right way, and that nothing wrong is left behind."""
    target, error = pull(site)
    assert isinstance(error, kind), repr(error)
    assert type(error).__module__ == "killick.errors"
    assert not list(target.tags())
    for digest, content in target._content.items():
        assert Digest.of(content, digest.algorithm) == digest
    text = f"{error.message} {error.hint}"
    assert SECRET not in text
    assert BASIC.split()[1] not in text
    assert "\n" not in error.message
    assert all(c.isprintable() for c in text)
    assert len(text) < 700
    if trap is not None:
        assert trap.secrets == []
        assert not trap.holds(SECRET, BASIC.split()[1])
    return error


def on(what, change):
    """Return a lie about answers to GETs of `what` ("manifests" or "blobs")."""
    return lambda seen, reply: (
        change(seen, reply) if seen.method == "GET" and f"/{what}/" in seen.path else None
    )


def with_body(change):
    return lambda seen, reply: Reply(200, change(reply.body), reply.headers)


def test_without_a_lie_all_is_well(site):
    target, error = pull(site)
    assert error is None
    assert list(target.tags()) == [TAG]


# -- wrong content


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1] + bytes([body[-1] ^ 1]),
        lambda body: b"\0" + body[1:],
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: body + body,
        lambda body: b"",
        lambda body: b"x",
    ],
    ids=["last-bit", "first-byte", "short", "long", "twice", "empty", "other"],
)
def test_wrong_bytes(liar, site, what, change):
    liar.lie = on(what, with_body(change))
    assert fails(site, DigestMismatch).exit_status == 6


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_wrong_bytes_with_the_digest_that_they_have(liar, site, what):
    def lie(seen, reply):
        body = b"z" * len(reply.body)
        return Reply(200, body, reply.headers | {"Docker-Content-Digest": Digest.of(body)})

    liar.lie = on(what, lie)
    fails(site, DigestMismatch)


def test_another_image_than_the_head_said(liar, site):
    other = images.image(liar.repository("other"))
    raw = liar.repository("other").open(other).read()
    headers = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": other.digest}
    liar.lie = on("manifests", lambda seen, reply: Reply(200, raw, headers))
    fails(site, DigestMismatch)


def test_answers_that_alternate(liar, site):
    other = images.image(liar.repository("other"))
    raw = liar.repository("other").open(other).read()
    liar.lie = lambda seen, reply: (
        Reply(200, raw, reply.headers)
        if "/manifests/" in seen.path and next(liar.numbers) % 2
        else None
    )
    fails(site, DigestMismatch)


@pytest.mark.parametrize(
    "stated",
    [
        "sha256:" + "0" * 64,
        "sha512:" + "0" * 128,
        "sha1:" + "0" * 40,
        "md5:" + "0" * 32,
        "sha256:../../../etc/passwd",
        "sha256:" + "A" * 64,
        "\x7f",
        "x" * 5000,
    ],
)
def test_a_wrong_digest_header(liar, site, stated):
    """Either it is not believed, and nothing comes of it; or what it names is not there."""
    liar.lie = lambda seen, reply: (
        Reply(200, reply.body, reply.headers | {"Docker-Content-Digest": stated})
        if "/manifests/1.5" in seen.path
        else None
    )
    target, error = pull(site)
    if error is None:
        assert target.resolve(TAG).digest == liar.root.digest
    else:
        assert isinstance(error, NotFound | UnverifiableDigest | DigestMismatch)
        assert not list(target.tags())


def document(liar, **fields):
    """Make the tag point to a manifest with odd `fields`, whatever they are."""
    layer = images.put(liar.repository(), OCI_LAYER, b"layer")
    config = images.put(liar.repository(), "application/vnd.oci.image.config.v1+json", b"{}")
    value = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json()],
    }
    return serve(liar, json.dumps(value | fields).encode())


def serve(liar, raw, media_type=OCI_MANIFEST):
    """Have `raw` served as the manifest of the tag, with everything else in order."""
    headers = {"Content-Type": media_type, "Docker-Content-Digest": Digest.of(raw)}
    liar.lie = lambda seen, reply: Reply(200, raw, headers) if "/manifests/" in seen.path else None


LAYER = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"layer")), "size": 5}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"manifests": []}, Unacceptable),
        ({"schemaVersion": 1}, Unacceptable),
        ({"mediaType": OCI_INDEX}, ContentError),
        ({"mediaType": "text/plain"}, Unacceptable),
        ({"layers": [LAYER | {"size": -1}]}, ContentError),
        ({"layers": [LAYER | {"size": 2**60}]}, ContentError),
        ({"layers": [LAYER | {"size": "5"}]}, ContentError),
        ({"layers": [LAYER | {"size": 5.0}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha256:../../../../etc/passwd"}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha256:" + "0" * 63}]}, ContentError),
        ({"layers": [LAYER | {"digest": "sha1:" + "0" * 40}]}, (NotFound, UnverifiableDigest)),
        ({"layers": [LAYER | {"size": 4}]}, DigestMismatch),
        ({"layers": [LAYER | {"size": 6}]}, DigestMismatch),
        ({"layers": [LAYER] * 10_001}, LimitExceeded),
        ({"layers": "none"}, ContentError),
        ({"config": None}, ContentError),
    ],
)
def test_odd_documents(liar, site, fields, kind):
    document(liar, **fields)
    fails(site, kind)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"schemaVersion": 2, "schemaVersion": 2, "layers": [], "config": {}}', ContentError),
        (b'{"schemaVersion": 2, "layers": [{"size": NaN}], "config": {}}', ContentError),
        (b"[" * 100_000, LimitExceeded),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, LimitExceeded),
        (b"\xff\xfe", ContentError),
        (b"null", ContentError),
        (b"{}", ContentError),
        (b" " * (4 * 1024 * 1024 + 1), LimitExceeded),
    ],
    ids=["keys-twice", "nan", "deep", "deeper", "not-utf-8", "null", "empty", "large"],
)
def test_odd_json(liar, site, raw, kind):
    serve(liar, raw)
    fails(site, kind)


@pytest.mark.parametrize("media_type", DOCKER_SCHEMA_1)
def test_schema_1(liar, site, media_type):
    serve(liar, b'{"schemaVersion": 1, "name": "a/b"}', media_type)
    assert "schema 1" in str(fails(site, Unacceptable))


@pytest.mark.parametrize("media_type", ["text/html", "text/html; charset=utf-8", "image/png"])
def test_a_page_instead_of_a_manifest(liar, site, media_type):
    serve(liar, b"<html><title>Please log in</title></html>", media_type)
    assert "not of a registry" in str(fails(site, ProtocolError))


@pytest.mark.parametrize(
    "media_type", [OCI_INDEX, "application/vnd.docker.distribution.manifest.v2+json"]
)
def test_the_type_of_another_document(liar, site, media_type):
    raw = liar.repository().open(liar.root).read()
    child = json.loads(raw)["manifests"][0]
    raw = liar.repository().open(Descriptor.from_json(child)).read()
    serve(liar, raw, media_type)
    fails(site, ContentError)


# -- framing


def test_endless_manifests(liar, site):
    liar.lie = on(
        "manifests", lambda seen, reply: Reply(raw=b"HTTP/1.1 200 X\r\n\r\n", body=liar.endless())
    )
    fails(site, (LimitExceeded, DigestMismatch))
    assert liar.sent < 32 * 1024 * 1024


def chunked(pieces):
    for piece in pieces:
        yield b"%x\r\n" % len(piece) + piece + b"\r\n"


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_endless_chunks(liar, site, what):
    headers = {"Transfer-Encoding": "chunked", "Content-Type": OCI_INDEX}
    liar.lie = on(what, lambda seen, reply: Reply(200, chunked(liar.endless()), headers))
    fails(site, (LimitExceeded, DigestMismatch))
    assert liar.sent < 64 * 1024 * 1024


def test_endless_trailers(liar, site):
    def trailers(body):
        yield b"%x\r\n" % len(body) + body + b"\r\n0\r\n"
        yield from liar.endless(b"X: " + b"y" * 60_000 + b"\r\n")

    headers = {"Transfer-Encoding": "chunked", "Content-Type": OCI_INDEX}
    liar.lie = on("manifests", lambda seen, reply: Reply(200, trailers(reply.body), headers))
    fails(site, (ProtocolError, LimitExceeded))
    assert liar.sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 X\r\n", b"X-Y: " + b"y" * 60_000 + b"\r\n"),
        (b"HTTP/1.1 200 X\r\n", b"a: b\r\n" * 1000),
        (b"HTTP/1.1 200 X\r\nX: ", b"y" * 65_536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"", b"x" * 65_536),
        (b"HTTP/1.1 200 ", b"x" * 65_536),
    ],
    ids=["headers", "small-headers", "header", "continue", "status", "reason"],
)
def test_endless_heads(liar, site, start, piece):
    liar.lie = lambda seen, reply: Reply(raw=start, body=liar.endless(piece), close=True)
    fails_early(site, liar)


def fails_early(site, liar):
    # A HEAD gets no body from the site, so the lie is told to a GET.
    with RemoteRegistry(site.domain, ACCESS) as registry:
        started = time.monotonic()
        with pytest.raises((ProtocolError, Unreachable)):
            registry.ping()
    assert time.monotonic() - started < MOST_SECONDS
    assert liar.sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 X\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 X\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 X\r\nContent-Length: 5x\r\n\r\n",
        b"HTTP/1.1 abc X\r\n\r\n",
        b"HTTP/3.0 200 X\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_http(liar, site, head):
    liar.lie = lambda seen, reply: Reply(raw=head, body=b"hello", close=True)
    fails(site, ProtocolError)


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"])
def test_bombs(liar, site, what, encoding):
    bomb = zlib.compress(bytes(10_000_000), 9)
    liar.lie = on(
        what,
        lambda seen, reply: Reply(200, bomb, reply.headers | {"Content-Encoding": encoding}),
    )
    fails(site, ProtocolError)


def test_a_bomb_that_does_not_say_so(liar, site):
    serve(liar, images.gzip(bytes(10_000_000)))
    fails(site, ContentError)


def reset_after(site, count):
    """Return a lie: so many bytes of the body, then a reset."""

    def lie(seen, reply):
        def body():
            yield reply.body[:count]
            for sock in list(site._open):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionAbortedError

        return Reply(reply.status, body(), reply.headers | {"Content-Length": len(reply.body)})

    return lie


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize("count", [0, 1, -1])
def test_resets(liar, site, what, count):
    liar.lie = on(what, reset_after(site, count))
    _, error = pull(site)
    # One byte at a time is progress of a kind, but not enough to go on for ever.
    assert error is None or isinstance(error, Unreachable)


def test_nothing_but_hanging_up(liar, site):
    liar.lie = lambda seen, reply: HANG_UP
    fails(site, Unreachable)


def test_http_1_0_is_spoken(liar, site):
    def lie(seen, reply):
        head = b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n"
        return Reply(raw=head % reply.headers["Content-Type"].encode(), body=reply.body, close=True)

    liar.lie = lie
    target, error = pull(site)
    assert error is None
    assert target.resolve(TAG).digest == liar.root.digest


# -- slow


def drip(site, content, pause=0.05):
    for byte in content:
        yield bytes([byte])
        site.wait(pause)


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_a_slow_drip(liar, site, what):
    liar.lie = on(
        what,
        lambda seen, reply: Reply(
            reply.status,
            drip(site, reply.body),
            reply.headers | {"Content-Length": len(reply.body)},
        ),
    )
    fails(site, Unreachable)


def test_a_slow_head(liar, site):
    liar.lie = lambda seen, reply: Reply(raw=b"", body=drip(site, b"HTTP/1.1 200 OK\r\n" * 1000))
    with RemoteRegistry(site.domain, ACCESS) as registry:
        started = time.monotonic()
        with pytest.raises(Unreachable):
            registry.ping()
    assert time.monotonic() - started < MOST_SECONDS


def test_silence(liar, site):
    liar.lie = lambda seen, reply: site.wait(30)
    fails(site, Unreachable)


# -- astray


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


# -- the door


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


# -- not now


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


# -- missing, and lists


def test_a_404_whose_body_says_200(liar, site):
    body = json.dumps({"status": 200, "errors": []}).encode()
    liar.lie = lambda seen, reply: Reply(404, body, {"Content-Type": "application/json"})
    fails(site, NotFound)


def test_an_error_that_is_meant_for_the_terminal(liar, site):
    liar.lie = lambda seen, reply: refused(403, "DENIED", "\x1b]0;pwned\x07\r\n" + "A" * 10_000)
    fails(site, Denied)


def test_an_error_without_end(liar, site):
    liar.lie = lambda seen, reply: Reply(
        raw=b"HTTP/1.1 403 X\r\n\r\n", body=liar.endless(), close=True
    )
    fails(site, Denied)
    assert liar.sent < 32 * 1024 * 1024


def listing(site, call):
    with RemoteRegistry(site.domain, ACCESS) as registry:
        started = time.monotonic()
        with pytest.raises(KillickError) as caught:
            list(call(registry))
    assert time.monotonic() - started < 60
    return caught.value


def tags(registry):
    return registry.repository("a/b").tags()


def referrers(registry):
    return registry.repository("a/b").referrers(Digest.of(b"x"))


def page(liar, body, link="/v2/x?{}"):
    def lie(seen, reply):
        number = next(liar.numbers)
        text = json.dumps(body).replace("NUMBER", str(number))
        return Reply(200, text.encode(), {"Link": f'<{link.format(number)}>; rel="next"'})

    return lie


def test_endless_pages_of_nothing(liar, site):
    liar.lie = page(liar, {"tags": ["a"]})
    assert isinstance(listing(site, tags), ProtocolError)
    assert len(site.seen) < 10


def test_pages_in_a_circle(liar, site):
    liar.lie = page(liar, {"tags": ["tNUMBER"]}, "/v2/x")
    assert isinstance(listing(site, tags), ProtocolError)
    assert len(site.seen) < 10


def test_endless_pages(liar, site):
    liar.lie = page(liar, {"tags": ["tNUMBER"] + [f"tNUMBER.{i}" for i in range(5000)]})
    assert isinstance(listing(site, tags), LimitExceeded)
    assert len(site.seen) < 200


def test_endless_referrers(liar, site):
    entry = {"mediaType": OCI_MANIFEST, "digest": "x", "size": 5}

    def lie(seen, reply):
        number = next(liar.numbers)
        listed = [entry | {"digest": str(Digest.of(b"%d.%d" % (number, i)))} for i in range(2000)]
        headers = {"Link": f'</v2/x?{number}>; rel="next"', "Content-Type": OCI_INDEX}
        return Reply(200, json.dumps({"manifests": listed}).encode(), headers)

    liar.lie = lie
    assert isinstance(listing(site, referrers), LimitExceeded)
    assert len(site.seen) < 20


def test_the_same_referrers_for_ever(liar, site):
    entry = {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(b"1")), "size": 5}
    liar.lie = page(liar, {"manifests": [entry]})
    assert isinstance(listing(site, referrers), KillickError)
    assert len(site.seen) < 20


def test_a_page_elsewhere(liar, site, trap):
    liar.lie = page(liar, {"tags": ["a"]}, f"{trap.url}/x")
    assert isinstance(listing(site, tags), ProtocolError)
    assert trap.seen == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"tags": 5}',
        b'{"tags": [5]}',
        b'{"tags": ["\\u001b[31m"]}',
        b'{"tags": ["' + b"x" * 200 + b'"]}',
        b"{" * 9999,
    ],
)
def test_odd_lists(liar, site, body):
    liar.lie = lambda seen, reply: Reply(200, body)
    assert isinstance(listing(site, tags), ProtocolError | LimitExceeded)


def test_a_list_without_end(liar, site):
    liar.lie = lambda seen, reply: Reply(raw=b"HTTP/1.1 200 X\r\n\r\n", body=liar.endless())
    assert isinstance(listing(site, tags), LimitExceeded)
    assert liar.sent < 64 * 1024 * 1024


# -- uploads


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
