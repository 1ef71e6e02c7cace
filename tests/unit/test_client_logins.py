"""Basic, tokens and identity tokens, over real sockets."""

import io
import threading

import pytest

import images
from guarded import BASIC, LOGIN, Guarded, Tokens, access, bearer
from killick.client import RemoteRegistry
from killick.client.credential import Credential
from killick.client.credentials import check
from killick.errors import Unauthorized
from killick.manifest import Descriptor
from lying import Honest, Site, refused


def test_basic_is_shown_when_asked_for_and_then_at_once():
    with Site(Guarded()) as site, RemoteRegistry(site.domain, access()) as registry:
        registry.ping()
        registry.ping()
    assert [s.headers.get("authorization") for s in site.seen] == [None, BASIC, BASIC]


def test_logins_are_not_looked_for_unless_asked():
    chosen = access()
    with Site(Honest()) as site, RemoteRegistry(site.domain, chosen) as registry:
        registry.ping()
        registry.repository("a").has(Descriptor.of("x", b"1"))
    assert chosen.credentials.asked == []
    assert site.secrets == []


def test_each_repository_may_have_its_own_login():
    chosen = access()
    with Site(Guarded()) as site, RemoteRegistry(site.domain, chosen) as registry:
        registry.repository("team/app").has(Descriptor.of("x", b"1"))
    assert chosen.credentials.asked == [(site.domain, "team/app")]


def test_a_wrong_login_is_shown_once():
    chosen = access(Credential("me", "wrong"))
    with Site(Guarded()) as site, RemoteRegistry(site.domain, chosen) as registry:
        with pytest.raises(Unauthorized) as caught:
            registry.ping()
    assert len(site.seen) == 2
    assert "wrong" not in f"{caught.value}{caught.value.hint}"


def test_a_token_is_got_once_for_many_threads_and_kept():
    with Site(Tokens(expires_in=300)) as tokens:
        guarded = Guarded("Bearer t0ken", bearer(tokens.url))
        with Site(guarded) as site, RemoteRegistry(site.domain, access()) as registry:
            repository = registry.repository("a/b")
            threads = [
                threading.Thread(target=repository.has, args=(Descriptor.of("x", b"1"),))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            repository.has(Descriptor.of("x", b"1"))
    assert len(tokens.seen) == 1
    assert tokens.seen[0].query == {"service": "reg", "scope": "repository:a/b:pull"}
    assert set(site.secrets) == {"Bearer t0ken"}


def test_mounts_ask_for_both_repositories():
    with Site(Tokens()) as tokens:
        guarded = Guarded("Bearer t0ken", bearer(tokens.url))
        d = images.put(guarded.repository("sister"), "x", b"1")
        with Site(guarded) as site, RemoteRegistry(site.domain, access()) as registry:
            assert registry.repository("a/b").mount(d, "sister")
    assert "scope=repository:a/b:pull,push&scope=repository:sister:pull" in tokens.seen[0].target


def test_a_token_that_has_run_out_is_got_anew_even_in_an_upload():
    with Site(Tokens()) as tokens:
        guarded = Guarded("Bearer t0ken", bearer(tokens.url))
        expired = []

        def lie(seen, reply):
            if seen.method == "PUT" and not expired:
                expired.append(seen)
                return refused(401, **{"WWW-Authenticate": bearer(tokens.url)})
            return reply

        guarded.lie = lie
        with Site(guarded) as site, RemoteRegistry(site.domain, access()) as registry:
            registry.repository("a/b").put(Descriptor.of("x", b"hello"), io.BytesIO(b"hello"))
        assert guarded.repository().find(Descriptor.of("x", b"hello").digest)
        assert len(tokens.seen) <= 2


def test_an_identity_token_is_exchanged():
    credential = Credential(identity_token="refresh")
    with Site(Tokens(wanted=None)) as tokens:
        guarded = Guarded("Bearer t0ken", bearer(tokens.url))
        with Site(guarded) as site, RemoteRegistry(site.domain, access(credential)) as registry:
            registry.ping()
    assert tokens.seen[0].method == "POST"
    assert b"refresh_token=refresh" in tokens.seen[0].body
    assert not site.holds("refresh")


def test_a_login_is_checked():
    with Site(Guarded()) as site:
        check(site.domain, LOGIN, access())
        with pytest.raises(Unauthorized):
            check(site.domain, Credential("me", "wrong"), access())
        with pytest.raises(Unauthorized):
            check(site.domain, Credential(), access())
    with Site(Tokens()) as tokens, Site(Guarded("Bearer t0ken", bearer(tokens.url))) as site:
        check(site.domain, LOGIN, access())
        with pytest.raises(Unauthorized, match="does not accept"):
            check(site.domain, Credential("me", "wrong"), access())
