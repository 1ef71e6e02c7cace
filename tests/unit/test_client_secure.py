"""TLS, logins, tokens, redirects and proxies, over real sockets with ledgers of credentials."""

import base64
import io
import json
import ssl
import threading

import pytest
import trustme

import images
from killick.client import Access, RemoteRegistry
from killick.client.credential import Credential
from killick.client.credentials import check
from killick.client.origin import Zone
from killick.errors import Denied, ProtocolError, Unauthorized, Unreachable, Unsupported, UsageError
from killick.manifest import Descriptor
from killick.names import Tag
from lying import Honest, Reply, Site, dialer_for, refused

SECRET = "s3cret-pässword"


class Logins:
    """One login, for whatever asks; counts how often it was asked for."""

    def __init__(self, credential):
        self.credential = credential
        self.asked = []

    def find(self, domain, path=None):
        self.asked.append((domain, path))
        return self.credential


LOGIN = Credential("me", SECRET)
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


def access(credential=LOGIN, **options):
    options = {"timeout": 2.0, "attempts": 2, "patience": 1.0} | options
    return Access(credentials=Logins(credential), **options)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def tls(authority):
    """A server's context, for every name used here."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    names = ["127.0.0.1", "localhost", "*.example.org", "*.evil.com", "ghcr.io"]
    authority.issue_cert(*names).configure_cert(context)
    return context


class Guarded(Honest):
    """A registry that lets in who shows `wanted`, and challenges all others."""

    def __init__(self, wanted=BASIC, challenge='Basic realm="here"'):
        super().__init__()
        self.wanted = wanted
        self.challenge = challenge

    def __call__(self, seen):
        if seen.headers.get("authorization") != self.wanted:
            return refused(401, "UNAUTHORIZED", **{"WWW-Authenticate": self.challenge})
        return super().__call__(seen)


class Tokens:
    """A token server: gives `token` to who shows `wanted` (None: to everybody)."""

    def __init__(self, wanted=BASIC, token="t0ken", **more):
        self.wanted = wanted
        self.body = json.dumps({"token": token, **more}).encode()

    def __call__(self, seen):
        if self.wanted is not None and seen.headers.get("authorization") != self.wanted:
            return Reply(401, b"{}")
        return Reply(200, self.body, {"Content-Type": "application/json"})


def bearer(url, **more):
    listed = {"realm": f"{url}/token", "service": "reg", **more}
    return "Bearer " + ",".join(f'{k}="{v}"' for k, v in listed.items())


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


# -- TLS


def test_an_own_authority_is_trusted(tls, ca_file):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            registry.ping()
            registry.ping()
            assert site.connections == 1
        with RemoteRegistry(site.domain, Access(tls=True, insecure_skip_verify=True)) as registry:
            registry.ping()


def test_blobs_come_over_tls(tls, ca_file):
    honest = Honest()
    content = bytes(range(256)) * 8192
    d = images.put(honest.repository(), "x", content)
    with Site(honest, tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            with registry.repository("a/b").open(d) as stream:
                assert stream.read() == content


def test_an_unknown_authority_is_not_trusted_and_nothing_is_tried_again(tls):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True)) as registry:
            with pytest.raises(Unreachable, match="can't be trusted") as caught:
                registry.ping()
    assert "--ca-file" in caught.value.hint
    assert site.connections == 1


def test_a_certificate_for_another_name_is_not_trusted(authority, ca_file):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)
    with Site(Honest(), context) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            with pytest.raises(Unreachable, match="can't be trusted"):
                registry.ping()


def test_plain_http_where_tls_was_expected_is_said_so():
    with Site(Honest()) as site:
        with RemoteRegistry(site.domain, Access(tls=True, timeout=2.0)) as registry:
            with pytest.raises(Unreachable, match="does not speak TLS") as caught:
                registry.ping()
    assert "--plain-http" in caught.value.hint


def test_tls_where_plain_http_was_expected_is_an_error(tls):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(timeout=1.0, attempts=1)) as registry:
            with pytest.raises((ProtocolError, Unreachable)):
                registry.ping()


def test_a_client_certificate_is_shown_to_the_registry_alone(authority, tls, ca_file, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    cert = tmp_path / "client.pem"
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(cert)
    with Site(Honest(), context) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file, cert=cert)) as registry:
            registry.ping()
        with RemoteRegistry(site.domain, access(tls=True, ca_file=ca_file)) as registry:
            with pytest.raises(Unreachable, match="TLS"):
                registry.ping()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_is_no_certificate_is_wrong_usage(tmp_path, content):
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_text(content)
    for options in ({"ca_file": path}, {"cert": path}):
        with Site(Honest()) as site:
            with RemoteRegistry(site.domain, Access(tls=True, **options)) as registry:
                with pytest.raises(UsageError, match=r"x\.pem"):
                    registry.ping()


# -- names and places: what may go where


class World:
    """A registry at `registry.example.org` and another site, over TLS, both really on loopback."""

    def __init__(self, tls, ca_file, registry, other, zones=None):
        self.site = Site(registry, tls)
        self.other = Site(other, tls, host="127.0.0.2")
        self.domain = f"registry.example.org:{self.site.port}"
        self.zones = zones
        self.ca_file = ca_file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.site.close()
        self.other.close()

    def registry(self, **options):
        chosen = access(ca_file=self.ca_file, **options)
        names = {"registry.example.org": "127.0.0.1"}
        for name in ("auth.example.org", "auth.evil.com", "store.evil.com"):
            names[name] = "127.0.0.2"
        dialer = dialer_for(self.domain, chosen, names, self.zones)
        return RemoteRegistry(self.domain, chosen, dialer)


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


# -- proxies


@pytest.fixture
def proxy(monkeypatch, tls):
    """A proxy that connects everything to one site; what it is asked is in its `seen`."""
    made = Tunnel(Honest(), tls)
    monkeypatch.setenv("https_proxy", f"http://pr:xy@127.0.0.1:{made.port}")
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{made.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield made
    made.close()


class Tunnel(Site):
    """A proxy, which plays the other end as well."""

    def __init__(self, answer, tls):
        super().__init__(answer)
        self._inner = tls

    def _one(self, sock, file):
        first = sock.recv(7, 2)
        if first != b"CONNECT":
            return super()._one(sock, file)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        self.heads = [*getattr(self, "heads", []), head.decode()]
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with self._inner.wrap_socket(sock, server_side=True) as inner:
            with inner.makefile("rb") as file:
                while super()._one(inner, file):
                    pass
        return False

    def _serve(self, plain):
        # Unbuffered until it is known whether TLS starts here.
        file = plain.makefile("rb", buffering=0)
        with file:
            try:
                while self._one(plain, file):
                    pass
            except OSError:
                pass
            finally:
                with self._lock:
                    self._open.discard(plain)
                    plain.close()


def test_https_goes_through_the_proxy(proxy, ca_file):
    with RemoteRegistry("registry.example.org", Access(ca_file=ca_file)) as registry:
        registry.ping()
    [head] = proxy.heads
    assert head.startswith("CONNECT registry.example.org:443 HTTP/1.1")
    assert "Proxy-Authorization: Basic cHI6eHk=" in head
    assert "proxy-authorization" not in proxy.seen[0].headers


def test_http_goes_through_the_proxy(proxy):
    with RemoteRegistry("registry.example.org", Access(plain_http=True)) as registry:
        registry.ping()
    assert proxy.seen[0].target == "http://registry.example.org/v2/"
    assert proxy.seen[0].headers["host"] == "registry.example.org"


def test_loopback_is_never_proxied(proxy):
    with Site(Honest()) as site, RemoteRegistry(site.domain, Access()) as registry:
        registry.ping()
    assert proxy.connections == 0


def test_exceptions_are_not_proxied(proxy, monkeypatch, tls, ca_file):
    monkeypatch.setenv("no_proxy", "example.org")
    with World(tls, ca_file, Honest(), Honest()) as world, world.registry() as registry:
        registry.ping()
    assert proxy.connections == 0


def test_a_proxy_that_refuses_is_said_so(monkeypatch):
    with Site(lambda seen: Reply(407)) as refusing:
        monkeypatch.setenv("https_proxy", f"http://u:{SECRET}@{refusing.domain}")
        with RemoteRegistry("registry.example.org") as registry:
            with pytest.raises(Unreachable, match="refuses to connect") as caught:
                registry.ping()
    assert SECRET not in str(caught.value)


def test_a_proxy_of_another_kind_is_said_so(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    with RemoteRegistry("registry.example.org") as registry:
        with pytest.raises(Unsupported, match="socks5"):
            registry.ping()


# -- nothing there


def test_a_closed_port_is_unreachable():
    with Site(Honest()) as site:
        domain = site.domain
    with RemoteRegistry(domain, access()) as registry:
        with pytest.raises(Unreachable, match="failed"):
            registry.ping()


def test_a_host_that_does_not_exist_is_unreachable():
    with RemoteRegistry("registry.invalid", Access(attempts=1)) as registry:
        with pytest.raises(Unreachable, match=r"registry\.invalid"):
            registry.repository("a").resolve(Tag("x"))
