"""Registries behind a login, token servers, and names in a world of their own, for tests."""

import base64
import json

from killick.client import Access, RemoteRegistry
from killick.client.credential import Credential
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
