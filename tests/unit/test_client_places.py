"""Realms, redirects and upload places that lead elsewhere, with a ledger of credentials."""

import io

import pytest

import images
from guarded import BASIC, SECRET, Guarded, Tokens, World, access, bearer
from killick.client import Access, RemoteRegistry
from killick.client.origin import Zone
from killick.errors import Denied, ProtocolError, Unauthorized
from killick.manifest import Descriptor
from lying import Honest, Reply, Site, dialer_for, refused


def test_a_realm_in_the_registrys_domain_gets_the_password(tls, ca_file):
    guarded = Guarded("Bearer t0ken")
    with World(tls, ca_file, guarded, Tokens()) as world:
        guarded.challenge = bearer(f"https://auth.example.org:{world.other.port}")
        with world.registry() as registry:
            registry.ping()
        assert world.other.secrets == [BASIC]
        assert world.site.secrets == ["Bearer t0ken"]


def test_a_foreign_realm_gets_nothing_but_may_give_an_anonymous_token(tls, ca_file):
    guarded = Guarded("Bearer t0ken")
    with World(tls, ca_file, guarded, Tokens(wanted=None)) as world:
        guarded.challenge = bearer(f"https://auth.evil.com:{world.other.port}")
        with world.registry() as registry:
            registry.ping()
            with pytest.raises(Unauthorized, match="not known to belong"):
                registry.check_login()
        assert world.other.secrets == []
        assert not world.other.holds(SECRET)
        with world.registry(realms=("auth.evil.com",)) as registry:
            registry.check_login()
        assert world.other.secrets == [BASIC]


def test_a_realm_over_plain_http_is_not_even_asked(tls, ca_file):
    with Site(Tokens()) as tokens:
        guarded = Guarded("Bearer t0ken", bearer(tokens.url))
        with World(tls, ca_file, guarded, Tokens()) as world, world.registry() as registry:
            with pytest.raises(Denied):
                registry.ping()
        assert tokens.seen == []


@pytest.mark.parametrize(
    ("inner", "allowed"),
    [(Zone.PUBLIC, True), (Zone.PRIVATE, False), (Zone.LOOPBACK, False), (Zone.NOWHERE, False)],
)
def test_a_public_registry_sends_nobody_inside(tls, ca_file, inner, allowed):
    guarded = Guarded("Bearer t0ken")
    zones = {"127.0.0.2": inner}
    with World(tls, ca_file, guarded, Tokens(wanted=None), zones) as world:
        guarded.challenge = bearer(f"https://auth.evil.com:{world.other.port}")
        with world.registry() as registry:
            if allowed:
                registry.ping()
            else:
                with pytest.raises(Denied, match="inside"):
                    registry.ping()
        assert bool(world.other.seen) is allowed


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_takes_no_credentials_along(tls, ca_file, status):
    content = b"hello"
    guarded = Guarded()
    d = images.put(guarded.repository(), "x", content)
    with World(tls, ca_file, guarded, lambda seen: Reply(200, content)) as world:
        location = f"https://store.evil.com:{world.other.port}/x?sig=1"
        guarded.lie = lambda seen, reply: (
            Reply(status, b"moved", {"Location": location}) if "/blobs/" in seen.path else None
        )
        with world.registry() as registry:
            for _ in range(2):
                with registry.repository("a/b").open(d) as stream:
                    assert stream.read() == content
        assert world.other.secrets == []
        assert not world.other.holds(SECRET, BASIC)
        assert world.site.connections == 1


def test_a_challenge_elsewhere_is_not_answered(tls, ca_file):
    guarded = Guarded()
    d = images.put(guarded.repository(), "x", b"hello")
    greedy = lambda seen: refused(401, **{"WWW-Authenticate": "Basic"})  # noqa: E731
    with World(tls, ca_file, guarded, greedy) as world:
        location = f"https://store.evil.com:{world.other.port}/x"
        guarded.lie = lambda seen, reply: Reply(307, b"", {"Location": location})
        with world.registry() as registry:
            repository = registry.repository("a/b")
            with pytest.raises(Unauthorized):
                repository.open(d)
        assert len(world.other.seen) == 1
        assert world.other.secrets == []


def test_a_way_back_takes_no_credentials_along(tls, ca_file):
    guarded = Guarded()
    d = images.put(guarded.repository(), "x", b"hello")
    with World(tls, ca_file, guarded, lambda seen: Reply(307, b"", back)) as world:
        back = {"Location": f"https://{world.domain}/v2/a/b/blobs/{d.digest}?again"}
        away = {"Location": f"https://store.evil.com:{world.other.port}/x"}
        guarded.lie = lambda seen, reply: Reply(307, b"", away) if not seen.query else None
        with world.registry() as registry:
            repository = registry.repository("a/b")
            with pytest.raises(Unauthorized):
                repository.open(d)
        assert "authorization" not in world.site.seen[-1].headers


def test_an_upload_elsewhere_takes_no_credentials_along(tls, ca_file):
    guarded = Guarded()
    with World(tls, ca_file, guarded, lambda seen: Reply(201)) as world:
        location = f"https://store.evil.com:{world.other.port}/upload?x=1"
        guarded.lie = lambda seen, reply: Reply(202, b"", {"Location": location})
        with world.registry() as registry:
            registry.repository("a/b").put(Descriptor.of("x", b"hello"), io.BytesIO(b"hello"))
        assert world.other.secrets == []
        assert world.other.seen[0].body == b"hello"
        assert world.other.seen[0].target.startswith("/upload?x=1&digest=sha256")


@pytest.mark.parametrize("way", ["redirect", "upload", "realm"])
def test_https_never_falls_to_http(tls, ca_file, way):
    guarded = Guarded()
    d = images.put(guarded.repository(), "x", b"hello")
    with Site(Tokens(wanted=None)) as plain, World(tls, ca_file, guarded, Tokens()) as world:
        if way == "realm":
            guarded.challenge = bearer(plain.url)
        else:
            guarded.lie = lambda seen, reply: Reply(
                307 if way == "redirect" else 202, b"", {"Location": f"{plain.url}/x"}
            )
        with world.registry() as registry:
            repository = registry.repository("a/b")
            with pytest.raises(Denied):
                if way == "upload":
                    repository.put(d, io.BytesIO(b"hello"))
                else:
                    repository.open(d)
        assert plain.seen == []


def test_credentials_never_go_over_plain_http_to_another_machine():
    with Site(Guarded()) as site:
        chosen = access(plain_http=True)
        domain = f"registry.example.org:{site.port}"
        dialer = dialer_for(domain, chosen, {"registry.example.org": "127.0.0.1"})
        with RemoteRegistry(domain, chosen, dialer) as registry:
            with pytest.raises(Denied, match="plain HTTP"):
                registry.ping()
        assert site.secrets == []


def test_a_name_for_this_machine_leads_to_this_machine():
    with Site(Honest()) as site:
        domain = f"localhost:{site.port}"
        dialer = dialer_for(domain, Access(), {"localhost": "127.0.0.1"})
        with RemoteRegistry(domain, Access(), dialer) as registry:
            with pytest.raises(Denied):
                registry.ping()
    assert site.seen == []


def test_a_loopback_registry_may_redirect_to_loopback():
    honest = Honest()
    d = images.put(honest.repository(), "x", b"hello")
    with Site(lambda seen: Reply(200, b"hello")) as store, Site(honest) as site:
        honest.lie = lambda seen, reply: Reply(307, b"", {"Location": f"{store.url}/x"})
        with RemoteRegistry(site.domain, access()) as registry:
            with registry.repository("a/b").open(d) as stream:
                assert stream.read() == b"hello"


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/x",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://0.0.0.0:5000/x",
        "https://2852039166/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://user:pw@127.0.0.1/x",
        "",
    ],
)
def test_a_loopback_registry_may_not_redirect_anywhere(location):
    honest = Honest(lambda seen, reply: Reply(307, b"", {"Location": location}))
    with Site(honest) as site, RemoteRegistry(site.domain, access()) as registry:
        with pytest.raises((Denied, ProtocolError)):
            registry.ping()
    assert len(site.seen) == 1


def test_a_push_is_not_redirected_elsewhere(tls, ca_file):
    honest = Honest()
    root = images.image(honest.repository("src"))
    with Site(lambda seen: Reply(201)) as other, Site(honest) as site:
        with RemoteRegistry(site.domain, access()) as registry:
            repository = registry.repository("a/b")
            honest.lie = lambda seen, reply: Reply(307, b"", {"Location": f"{other.url}/x"})
            with pytest.raises(ProtocolError, match="redirects a PUT"):
                repository.put(root, honest.repository("src").open(root))
            moved = {"Location": f"/v2/a/b/manifests/{root.digest}?moved=1"}
            honest.lie = lambda seen, reply: (
                Reply(307, b"", moved) if seen.method == "PUT" and not seen.query else None
            )
            repository.put(root, honest.repository("src").open(root))
    assert other.seen == []
