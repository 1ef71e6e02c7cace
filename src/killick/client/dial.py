"""Making connections: names to addresses, the gate on addresses, proxies, TLS."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from killick.client.channel import Channel, TooMuch, Watch
from killick.client.origin import Origin, Url, Zone, zone_of
from killick.errors import Denied, KillickError, ProtocolError, Unreachable, Unsupported, UsageError

if TYPE_CHECKING:
    from killick.client.access import Access
    from killick.client.tls import Trust

MOST_CONNECT_SECONDS = 10.0

_SEE_PROXY = "see HTTPS_PROXY and NO_PROXY in the environment"

Resolver = Callable[[str, int], list[Any]]


class Interrupted(Unreachable):
    """A connection failed in a way that another attempt may cure. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy: where it is, and the header that lets us in (None: nothing)."""

    origin: Origin
    authorization: str | None

    def __repr__(self) -> str:
        return f"Proxy({self.origin})"


def resolve(host: str, port: int) -> list[Any]:
    """Return the addresses of `host`, as `socket.getaddrinfo` does."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Dialer:
    """Connects to origins. `resolve` and `zone` say where names lead and where addresses lie."""

    def __init__(
        self,
        access: Access,
        trust: Trust,
        resolve: Resolver = resolve,
        zone: Callable[[str], Zone] = zone_of,
    ) -> None:
        self._access = access
        self._trust = trust
        self._resolve = resolve
        self._zone = zone

    def dial(self, origin: Origin, innermost: Zone) -> Channel:
        """Return a new connection to `origin`, whose address must lie no further in than stated.

        Raises:
            Interrupted: it can't be reached now.
            Unreachable: it can't be reached.
            Denied: it lies further inside than allowed.
        """
        proxy = proxy_for(origin)
        watch = Watch(self._access.timeout, self._access.slowest)
        if proxy is None:
            sock, zone = self._connect(origin, self._limit(origin, innermost))
        else:
            zone = self._literal_zone(origin, innermost)
            try:
                sock, _ = self._connect(proxy.origin, Zone.NOWHERE)
            except Unreachable as error:
                # Nobody typed this address: it came from the environment.
                raise type(error)(
                    f"{error.message}, which is the proxy for {origin.netloc}",
                    side="remote",
                    hint=_SEE_PROXY,
                ) from None
        try:
            if proxy is not None and origin.scheme == "https":
                _tunnel(Channel(sock, proxy.origin, zone, watch), proxy, origin)
            if origin.scheme == "https":
                sock = self._secure(sock, origin)
        except BaseException:
            sock.close()
            raise
        return Channel(sock, origin, zone, watch)

    def _limit(self, origin: Origin, innermost: Zone) -> Zone:
        """Return the limit for `origin`: a name that means this machine must not lead elsewhere."""
        return min(innermost, Zone.LOOPBACK) if origin.is_loopback else innermost

    def _literal_zone(self, origin: Origin, innermost: Zone) -> Zone:
        """Return the zone of an origin behind a proxy, which alone knows what names lead to."""
        if origin.address is None:
            return Zone.PUBLIC
        zone = self._zone(origin.address)
        if zone > innermost:
            raise _too_far_inside(origin)
        return zone

    def _connect(self, origin: Origin, innermost: Zone) -> tuple[socket.socket, Zone]:
        deadline = time.monotonic() + self._access.timeout
        failure: KillickError | None = None
        for family, kind, protocol, _, address in self._lookup(origin):
            zone = self._zone(address[0])
            if zone > innermost or (origin.is_loopback and zone != Zone.LOOPBACK):
                failure = failure or _too_far_inside(origin)
                continue
            left = min(deadline - time.monotonic(), MOST_CONNECT_SECONDS)
            if left <= 0:
                break
            try:
                return _open(family, kind, protocol, address, left), zone
            except OSError as error:
                failure = translated(error, origin)
        raise failure or Interrupted(f"{origin.netloc} did not answer in time", side="remote")

    def _lookup(self, origin: Origin) -> list[Any]:
        try:
            return self._resolve(origin.host, origin.port)
        except socket.gaierror as error:
            kind = Interrupted if error.errno == socket.EAI_AGAIN else Unreachable
            raise kind(
                f"the host name {origin.host} can't be resolved",
                side="remote",
                hint="check the name, and the network",
            ) from None
        except (OSError, UnicodeError):
            raise Unreachable(f"{origin.host} is no host name", side="remote") from None

    def _secure(self, sock: socket.socket, origin: Origin) -> socket.socket:
        context = self._trust.context_for(origin)
        sock.settimeout(self._access.timeout)
        try:
            return context.wrap_socket(sock, server_hostname=origin.host)
        except (OSError, ValueError) as error:
            raise translated(error, origin) from None


def _open(family: int, kind: int, protocol: int, address: Any, timeout: float) -> socket.socket:  # noqa: ANN401 - its form depends on the family
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _tunnel(channel: Channel, proxy: Proxy, origin: Origin) -> None:
    """Have the proxy connect through to `origin` (RFC 9110, CONNECT)."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    channel.watch.within(channel.watch.timeout)
    try:
        channel.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        with http.client.HTTPResponse(channel, method="CONNECT") as response:  # type: ignore[arg-type]  # it needs makefile() only
            response.begin()
            status = response.status
    except (OSError, http.client.HTTPException) as error:
        raise translated(error, proxy.origin) from None
    if status != 200:
        raise Unreachable(
            f"the proxy {proxy.origin} refuses to connect to {origin.netloc} (status {status})",
            side="remote",
            hint=_SEE_PROXY,
        )


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the proxy that the environment names for `origin`; loopback never has one.

    Raises:
        Unsupported: the proxy is not one that speaks plain HTTP.
        UsageError: its host or port is none.
    """
    if origin.is_loopback or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    import urllib.request  # costs 20 ms, and few need it

    proxies = urllib.request.getproxies()
    named = proxies.get(origin.scheme) or proxies.get("all")
    if not named or urllib.request.proxy_bypass(f"{origin.host}:{origin.port}"):
        return None
    return _proxy_at(named if "://" in named else f"http://{named}")


def _proxy_at(address: str) -> Proxy:
    try:
        parts = urlsplit(address)
        port = parts.port or 80
    except ValueError:
        raise UsageError(
            "the environment names a proxy whose host or port is none",
            hint="write HTTPS_PROXY as http://HOST:PORT",
        ) from None
    if parts.scheme != "http" or not parts.hostname:
        raise Unsupported(
            f"the environment names a {parts.scheme} proxy, and Killick speaks to http ones only",
            hint="set HTTPS_PROXY to an http:// address",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authorization = None
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = f"Basic {b64encode(login).decode()}"
    return Proxy(Url.parse(f"http://{host}:{port}").origin, authorization)


def translated(error: Exception, origin: Origin) -> KillickError:
    """Return the error of ours that a failure of a socket, TLS or `http.client` amounts to."""
    where = origin.netloc
    if isinstance(error, TooMuch):
        return ProtocolError(f"{where} sends without end", side="remote")
    if isinstance(error, TimeoutError):
        return Interrupted(f"{where} stopped answering", side="remote")
    if isinstance(error, ssl.SSLError):
        return _translated_tls(error, where)
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return Interrupted(
            f"the connection to {where} failed ({reason})",
            side="remote",
            hint="check the host and the port, and whether a registry runs there",
        )
    if isinstance(error, http.client.IncompleteRead):
        return Interrupted(f"{where} broke off in the middle of an answer", side="remote")
    return ProtocolError(
        f"{where} does not speak HTTP as it should ({type(error).__name__})",
        side="remote",
        hint="check the registry's host and port",
    )


def _translated_tls(error: ssl.SSLError, where: str) -> KillickError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"the certificate of {where} can't be trusted ({error.verify_message.rstrip('.')})",
            side="remote",
            hint="use the name that the certificate is for"
            if error.verify_code in _OTHER_NAME
            else "if it has a private authority, name that with --ca-file",
        )
    if error.reason in _NOT_TLS:
        return Unreachable(
            f"{where} does not speak TLS",
            side="remote",
            hint="if it is meant to speak plain HTTP, say --plain-http",
        )
    # A broken one may be the network, or a refusal whose reason was lost on the way.
    kind = Interrupted if isinstance(error, _BROKEN_TLS) else Unreachable
    return kind(
        f"{where} broke off the TLS connection ({error.reason or 'without a reason'})",
        side="remote",
        hint="if it wants a client certificate, name that with --cert and --key",
    )


_OTHER_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
)


def _too_far_inside(origin: Origin) -> Denied:
    return Denied(
        f"{origin.host} lies inside a network, and a server outside may not send anybody there",
        side="remote",
    )
