"""Which token servers may see a person's credentials.

A registry names, in its challenge, the URL of the server that gives out tokens (the realm). Docker
sends the password to whatever it names. Killick's rule (`docs/decisions/0003-token-realms.md`):

1. The realm speaks HTTPS; or both it and the registry are this machine (loopback).
2. And its host is the registry's own (any port); or lies in the registry's own domain: that is the
   registry's host without its first label (the whole host if it has only two), unless that is a
   suffix under which strangers register names (`co.uk`); or the user has listed the host.

`registry-1.docker.io` → `auth.docker.io` and `registry.gitlab.com` → `gitlab.com` pass by the
second. A realm that does not pass is asked for an anonymous token; one that does not pass the
first, or lies further inside a network than the registry, is not asked at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from killick.errors import Denied

if TYPE_CHECKING:
    from killick.client.origin import Origin

# Suffixes such as co.uk, com.au, gob.mx and ac.jp: a short, general word below a country.
_SHARED = re.compile(r"(?:[a-z]{1,3}|info|firm|gouv|govt|mobi|name)\.[a-z]{2}")
# Suffixes below which clouds give every customer a name.
_HOSTING = frozenset(
    {
        "amazonaws.com",
        "azurecr.io",
        "cloudapp.net",
        "fly.dev",
        "github.io",
        "gitlab.io",
        "herokuapp.com",
        "onrender.com",
        "run.app",
        "web.app",
        "workers.dev",
    }
)


def check_realm(realm: Origin, registry: Origin) -> None:
    """Check that a registry may send us to `realm` at all.

    Raises:
        Denied: it speaks plain HTTP, and not both are this machine.
    """
    if realm.scheme != "https" and not (realm.is_loopback and registry.is_loopback):
        raise Denied(
            f"{registry.netloc} wants tokens fetched from {realm} over plain HTTP",
            side="remote",
            hint="tell whoever runs the registry: a token server needs TLS",
        )
    if registry.scheme == "https" and realm.scheme != "https":
        raise Denied(
            f"{registry.netloc} speaks TLS, but wants tokens fetched over plain HTTP", side="remote"
        )


def may_have_credentials(realm: Origin, registry: Origin, trusted: Iterable[str] = ()) -> bool:
    """Return whether `realm`, which passed `check_realm`, may see credentials for `registry`."""
    host = realm.host
    if host == registry.host or host in {t.lower() for t in trusted}:
        return True
    domain = _own_domain(registry)
    return domain is not None and (host == domain or host.endswith(f".{domain}"))


def _own_domain(registry: Origin) -> str | None:
    """Return the domain that surely belongs to whoever runs the registry, or None."""
    labels = registry.host.split(".")
    if registry.address is not None or len(labels) < 2:
        return None
    domain = registry.host if len(labels) == 2 else ".".join(labels[1:])
    return None if _SHARED.fullmatch(domain) or domain in _HOSTING else domain
