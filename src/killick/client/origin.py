"""Where a request goes: origins, URLs, and how far inside a network an address lies.

An `Origin` is scheme, host and port: what credentials are bound to. A `Url` is an origin and the
rest. Both are made by strict parsing, so that no two readers can see two hosts in one text.

A `Zone` says how far inside an address lies. A server may send Killick to places as far inside as
itself, never further: a public registry has no business naming addresses in a private network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, replace
from enum import IntEnum
from urllib.parse import urljoin

from killick.errors import ProtocolError, UsageError

MOST_CHARACTERS = 16 * 1024

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[^?#]*)?(\?[^#]*)?(#.*)?",
    re.IGNORECASE,
)
_PRINTABLE = re.compile(r"[!-~]+")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Zone(IntEnum):
    """How far inside an address lies; `NOWHERE` is what nobody may be sent to.

    (Link-local addresses, where clouds keep their machines' secrets; unspecified, multicast and
    reserved ones.)
    """

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    NOWHERE = 3


def zone_of(address: str) -> Zone:
    """Return the zone of an IP address in text form; IPv4 inside IPv6 counts as IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    if ip.is_loopback:
        return Zone.LOOPBACK
    if ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip in _THIS_NETWORK:
        return Zone.NOWHERE
    return Zone.PUBLIC if ip.is_global else Zone.PRIVATE


_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme (`http` or `https`), a host in lower case (IPv6 without brackets), and a port."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine by its name: 127.0.0.0/8, ::1 or localhost."""
        if self.host == "localhost":
            return True
        address = self.address
        return address is not None and ipaddress.ip_address(address).is_loopback

    @property
    def is_secure(self) -> bool:
        """Whether secrets may go there: over TLS, or without ever leaving this machine."""
        return self.scheme == "https" or self.is_loopback

    @property
    def address(self) -> str | None:
        """The host where it is an IP address, else None."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return None
        return self.host

    @property
    def netloc(self) -> str:
        """Host and port as the `Host` header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class Url:
    """An origin, and the path with the query. `str()` is the whole; `shown` hides the query."""

    origin: Origin
    target: str = "/"

    @classmethod
    def parse(cls, text: str) -> Url:
        """Return the URL that `text` spells; a fragment is left out.

        Numeric hosts in any of the spellings that resolvers accept (`2130706433`, `0x7f.1`) become
        plain addresses.

        Raises:
            ProtocolError: no http or https URL, or one with a user name, or of odd characters.
        """
        match = _URL.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
        if match is None or not _PRINTABLE.fullmatch(text):
            raise _no_address(text)
        scheme, host, port, path, query, _ = match.groups()
        scheme = scheme.lower()
        number = int(port) if port else _DEFAULT_PORTS[scheme]
        if not 0 < number < 65536:
            raise ProtocolError(f"{number} is not a port", side="remote")
        return cls(Origin(scheme, _host(host.lower()), number), (path or "/") + (query or ""))

    def join(self, reference: str) -> Url:
        """Return the URL that `reference`, absolute or relative, means when it is met here.

        Raises:
            ProtocolError: it means none.
        """
        if len(reference) > MOST_CHARACTERS or not _PRINTABLE.fullmatch(reference):
            raise _no_address(reference)
        try:
            joined = urljoin(str(self), reference)
        except ValueError:
            raise _no_address(reference) from None
        return Url.parse(joined)

    def at(self, target: str) -> Url:
        """Return the URL of `target`, a path with a query, at the same origin."""
        return replace(self, target=target)

    def with_query(self, query: str) -> Url:
        """Return this URL with `query` added to the one that it has."""
        return self.at(self.target + ("&" if "?" in self.target else "?") + query)

    @property
    def shown(self) -> str:
        """The URL for people: without the query, which may hold a signature."""
        return f"{self.origin}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def _no_address(text: str) -> ProtocolError:
    """Return the error of a text that is no URL; what may be secret in it is not shown."""
    before, slashes, rest = text.partition("?")[0].partition("//")
    authority, slash, path = rest.partition("/")
    shown = f"{before}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
    return ProtocolError(f"{shown[:200]!r} is not an address to go to", side="remote")


def _host(text: str) -> str:
    """Return a host in its one spelling."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ProtocolError(f"{text!r} is not a host", side="remote") from None
    text = text.removesuffix(".")
    if _NUMERIC.fullmatch(text):
        try:
            return socket.inet_ntoa(socket.inet_aton(text))
        except OSError:
            raise ProtocolError(f"{text!r} is not a host", side="remote") from None
    if not text or ".." in text or text.startswith("."):
        raise ProtocolError(f"{text!r} is not a host", side="remote")
    return text


def origin_of(domain: str, *, plain_http: bool | None = None, tls: bool = False) -> Origin:
    """Return the origin that serves the registry `domain`, a host with or without a port.

    Docker Hub's is `registry-1.docker.io`. Loopback hosts speak plain HTTP unless `tls`; others
    only if `plain_http`.

    Raises:
        UsageError: `domain` is no host.
    """
    host = "registry-1.docker.io" if domain in ("docker.io", "index.docker.io") else domain
    try:
        url = Url.parse(f"https://{host}")
    except ProtocolError:
        url = None
    if url is None or re.search(r"[/?#]", host):
        raise UsageError(f"{domain!r} is not a registry's host")
    origin = url.origin
    plain = origin.is_loopback if plain_http is None else plain_http
    if tls or not plain:
        return origin
    return Url.parse(f"http://{host}").origin
