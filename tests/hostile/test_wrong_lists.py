"""Refusals and lists."""

import json
import time

import pytest

from hostile.liar import ACCESS, fails
from killick.client import RemoteRegistry
from killick.digest import Digest
from killick.errors import (
    Denied,
    KillickError,
    LimitExceeded,
    NotFound,
    ProtocolError,
)
from killick.manifest import OCI_INDEX, OCI_MANIFEST
from lying import Reply, refused


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
