"""A registry that lies, and what a pull from it may come to."""

import base64
import itertools
import time

import images
from killick.client import Access, RemoteRegistry
from killick.client.credential import Credential
from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import OCI_MANIFEST
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.transfer import copy
from lying import Honest, Reply, refused

SECRET = "canary-s3cret"
BASIC = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
TAG = Tag("1.5")
MOST_SECONDS = 8.0
MOST_REQUESTS = 40


class Login:
    def find(self, domain, path=None):
        return Credential("me", SECRET)


ACCESS = Access(credentials=Login(), timeout=0.5, attempts=3, patience=1.0)


class Liar(Honest):
    """A registry behind Basic authentication, with one image of two platforms."""

    challenge = 'Basic realm="x"'
    sent = 0

    def __init__(self):
        super().__init__()
        self.root = images.multi_platform(self.repository(), {"data": bytes(100_000)})
        self.repository().tag(TAG, self.root)
        self.numbers = itertools.count()

    def __call__(self, seen):
        if seen.headers.get("authorization") != BASIC:
            return refused(401, "UNAUTHORIZED", **{"WWW-Authenticate": self.challenge})
        return super().__call__(seen)

    def endless(self, piece=b"x" * 65536):
        """Yield without end, and count."""
        while True:
            self.sent += len(piece)
            yield piece


def pull(site, target=None):
    """Pull by tag into `target` (None: memory); return the target and the error, if any."""
    target = target or MemoryRegistry().repository("target")
    started = time.monotonic()
    error = None
    with RemoteRegistry(site.domain, ACCESS) as registry:
        source = registry.repository("a/b")
        try:
            copy(source, target, source.resolve(TAG), TAG)
        except KillickError as caught:
            error = caught
    assert time.monotonic() - started < MOST_SECONDS
    assert len(site.seen) <= MOST_REQUESTS
    return target, error


def fails(site, kind, trap=None, target=None):
    """Check that a pull fails in the right way, and that nothing wrong is left behind."""
    target, error = pull(site, target)
    assert isinstance(error, kind), repr(error)
    assert type(error).__module__ == "killick.errors"
    assert not list(target.tags())
    for digest, content in getattr(target, "_content", {}).items():
        assert Digest.of(content, digest.algorithm) == digest
    text = f"{error.message} {error.hint}"
    assert SECRET not in text
    assert BASIC.split()[1] not in text
    assert "\n" not in error.message
    assert all(c.isprintable() for c in text)
    assert len(text) < 700
    if trap is not None:
        assert trap.secrets == []
        assert not trap.holds(SECRET, BASIC.split()[1])
    return error


def on(what, change):
    """Return a lie about answers to GETs of `what` ("manifests" or "blobs")."""
    return lambda seen, reply: (
        change(seen, reply) if seen.method == "GET" and f"/{what}/" in seen.path else None
    )


def with_body(change):
    return lambda seen, reply: Reply(200, change(reply.body), reply.headers)


def serve(liar, raw, media_type=OCI_MANIFEST):
    """Have `raw` served as the manifest of the tag, with everything else in order."""
    headers = {"Content-Type": media_type, "Docker-Content-Digest": Digest.of(raw)}
    liar.lie = lambda seen, reply: Reply(200, raw, headers) if "/manifests/" in seen.path else None
