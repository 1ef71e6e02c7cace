"""Answers that are no proper HTTP, have no end, are bombs, or are slow."""

import socket
import struct
import time
import zlib

import pytest

import images
from hostile.liar import ACCESS, MOST_SECONDS, TAG, fails, on, pull, serve
from killick.client import RemoteRegistry
from killick.errors import (
    ContentError,
    DigestMismatch,
    LimitExceeded,
    ProtocolError,
    Unreachable,
)
from killick.manifest import OCI_INDEX
from lying import HANG_UP, Reply


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
