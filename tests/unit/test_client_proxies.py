"""Proxies from the environment."""

import socket

import pytest

from guarded import SECRET, World
from killick.client import Access, RemoteRegistry
from killick.errors import Unreachable, Unsupported, UsageError
from lying import Honest, Reply, Site


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


@pytest.mark.parametrize(
    "text", ["http://proxy.example:port", "user:word:3128", "http://p:70000", "http://[::1"]
)
def test_a_proxy_that_has_no_address_is_said_so(monkeypatch, text):
    monkeypatch.setenv("https_proxy", text)
    with RemoteRegistry("registry.example.org") as registry:
        with pytest.raises(UsageError, match="host or port") as caught:
            registry.ping()
    assert "HTTPS_PROXY" in caught.value.hint


def test_a_proxy_that_is_not_there_is_said_to_be_the_proxy(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with RemoteRegistry("registry.example.org", Access(attempts=1)) as registry:
            with pytest.raises(Unreachable, match="which is the proxy for") as caught:
                registry.ping()
    assert "HTTPS_PROXY" in caught.value.hint
