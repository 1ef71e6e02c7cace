"""The tags of a registry that keeps a ledger, and of one that does not, over real sockets."""

import json

import pytest

import images
from killick.client import Access, RemoteRegistry
from killick.errors import Conflict, RateLimited, Unreachable, Unsupported
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.wire.extensions import LEDGER_EXTENSIONS, to_json
from lying import HANG_UP, Honest, Reply, Site

QUICK = Access(timeout=2.0, attempts=3, patience=2.0)
TAG = Tag("1.5")
DISCOVER = "/v2/_oci/ext/discover"


def announcing(extensions=LEDGER_EXTENSIONS):
    return Reply(200, json.dumps(to_json(extensions)).encode())


def asking(answer, ask):
    """Call `ask` with a client of a site that answers so, and return the requests that it made."""
    with Site(answer) as site, RemoteRegistry(site.domain, QUICK) as registry:
        ask(registry)
        return site.seen


def test_what_is_announced_is_asked_once():
    def ask(registry):
        assert registry.extensions() == registry.extensions() == LEDGER_EXTENSIONS
        registry.ledger("a/b")

    assert [seen.target for seen in asking(lambda _: announcing(), ask)] == [DISCOVER]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b"page not found"),
        Reply(401),
        Reply(403),
        Reply(405),
        Reply(200, b"<html>"),
        Reply(200, b"[]"),
        Reply(200, b'{"extensions": {"name": "_killick"}}'),
        Reply(200, b'{"extensions": [null, 7, {"name": 7}, {"name": "_killick"}]}'),
        Reply(200, b'{"extensions": [{"name": "_killick", "features": "compare-and-swap"}]}'),
    ],
)
def test_a_registry_that_announces_nothing_has_no_ledger(reply):
    def ask(registry):
        with pytest.raises(Unsupported, match="does not announce compare-and-swap"):
            registry.ledger("a/b")

    asking(lambda _: reply, ask)


@pytest.mark.parametrize(("reply", "error"), [(Reply(429), RateLimited), (Reply(503), Unreachable)])
def test_a_registry_that_fails_is_not_one_that_announces_nothing(reply, error):
    def ask(registry):
        with pytest.raises(error):
            registry.ledger("a/b")

    asking(lambda _: reply, ask)


def swapping(lie, ask):
    """Call `ask(ledger, two images)`, where the tag stands at the first; `lie` as in `Honest`."""
    honest = Honest(lambda seen, reply: announcing() if seen.path == DISCOVER else lie(seen, reply))
    one, two = (images.image(honest.repository(), {"n": n}) for n in (b"1", b"2"))
    honest.repository().tag(TAG, one)
    asking(honest, lambda registry: ask(registry.ledger("a/b"), one, two))
    return honest.repository()


def test_the_condition_is_sent():
    conditions = []

    def lie(seen, _):
        if seen.method in ("PUT", "DELETE"):
            conditions.append((seen.headers.get("if-match"), seen.headers.get("if-none-match")))

    def ask(ledger, one, two):
        ledger.swap(TAG, two, one.digest)
        ledger.swap(Tag("new"), two, None)
        ledger.swap(TAG, None, two.digest)
        assert conditions == [(f'"{one.digest}"', None), (None, "*"), (f'"{two.digest}"', None)]

    assert list(swapping(lie, ask).tags()) == ["new"]


def test_a_move_that_met_its_own_success_is_done():
    lost = []

    def lie(seen, _):
        if seen.method != "PUT":
            return None
        lost.append(seen)
        return HANG_UP if len(lost) <= 2 else Reply(412)

    def ask(ledger, one, two):
        ledger.swap(TAG, two, one.digest)

    swapping(lie, ask)
    assert len(lost) == 3


def test_a_conflict_is_told():
    def ask(ledger, one, two):
        with pytest.raises(Conflict):
            ledger.swap(TAG, two, two.digest)

    swapping(lambda seen, _: Reply(412) if seen.method == "PUT" else None, ask)


def test_only_a_sha256_can_be_tagged_on_a_condition():
    other = images.image(MemoryRegistry().repository("x"))
    with Site(lambda _: announcing()) as site, RemoteRegistry(site.domain, QUICK) as registry:
        ledger = registry.ledger("a/b")
        d = images.Descriptor(other.media_type, images.Digest.of(b"x", "sha512"), 1)
        with pytest.raises(Unsupported, match="sha256"):
            ledger.swap(TAG, d, None)
