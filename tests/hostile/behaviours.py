"""Every way in which a registry is known to lie, as one table, and every verb that may meet it.

A behaviour is a function that makes a `Liar` behave so; it gets a `Stage`: the liar, the site it
answers on, and a trap, where no secret may ever arrive. Whatever the lie, a verb ends with the
truth or with an error, within bounds; nothing wrong is kept; no credential leaves its origin.
"""

from __future__ import annotations

import io
import json
import socket
import struct
import time
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace

import images
from hostile.liar import ACCESS, BASIC, SECRET, TAG, Liar
from killick.client import RemoteRegistry
from killick.client.origin import Zone
from killick.digest import Digest
from killick.errors import KillickError
from killick.manifest import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.store import Store
from killick.transfer import copy, fetch_bytes
from lying import HANG_UP, Honest, Reply, Site, dialer_for, refused

MOST_SECONDS = 12.0
MOST_REQUESTS = 40
MOST_BYTES = 96 * 1024 * 1024
_MANIFEST_BYTES = 4 * 1024 * 1024

BEHAVIOURS = {}


@dataclass
class Stage:
    """Where a behaviour plays.

    `world` are the names and the zones of addresses, where a behaviour needs others than there are;
    then the registry goes by `domain`, and nobody may go to the trap at all.
    """

    liar: Liar
    site: Site
    trap: Site
    domain: str = ""
    world: tuple = ()

    def lie(self, change, what="", methods=("GET", "HEAD")):
        """Have answers about `what` (a part of the path) changed, those to `methods`."""
        self.liar.lie = lambda seen, reply: (
            change(seen, reply) if what in seen.path and seen.method in methods else None
        )

    def serve(self, raw, media_type=OCI_MANIFEST):
        """Have `raw` served as the manifest of the tag, with everything else in order."""
        headers = {"Content-Type": media_type, "Docker-Content-Digest": Digest.of(raw)}
        self.lie(lambda seen, reply: Reply(200, raw, headers), "/manifests/")


def behaviour(name, *cases):
    """Add a function to the table: under `name`, or under `name: case` with each case's value."""

    def add(function):
        if not cases:
            BEHAVIOURS[name] = function
        for case in cases:
            BEHAVIOURS[f"{name}: {case}"] = lambda stage, case=case: function(stage, case)
        return function

    return add


# What is sent is not what was asked for


@behaviour("wrong digest", "/blobs/", "/manifests/")
def _(stage, what):
    def wrong(seen, reply):
        body = bytes(len(reply.body))
        return Reply(200, body, reply.headers | {"Docker-Content-Digest": Digest.of(body)})

    stage.lie(wrong, what, ("GET",))


@behaviour("right header, wrong body", "/blobs/", "/manifests/")
def _(stage, what):
    stage.lie(lambda s, r: Reply(200, r.body[:-1] + b"~", r.headers), what, ("GET",))


@behaviour("short", "/blobs/", "/manifests/")
def _(stage, what):
    stage.lie(lambda s, r: Reply(200, r.body[:-1], r.headers), what, ("GET",))


@behaviour("long", "/blobs/", "/manifests/")
def _(stage, what):
    stage.lie(lambda s, r: Reply(200, r.body + b" ", r.headers), what, ("GET",))


@behaviour("a length that is a lie", "too small", "too large", "negative", "twice")
def _(stage, which):
    lengths = {
        "too small": lambda n: n - 1,
        "too large": lambda n: n + 10,
        "negative": lambda n: -n,
        "twice": lambda n: [n, n + 1],
    }

    def lie(seen, reply):
        length = {"Content-Length": lengths[which](len(reply.body))}
        return Reply(200, reply.body, reply.headers | length, close=True)

    stage.lie(lie)


@behaviour("a digest header that is a lie", "zeros", "sha512", "sha1", "../", "long")
def _(stage, which):
    stated = {
        "zeros": "sha256:" + "0" * 64,
        "sha512": "sha512:" + "0" * 128,
        "sha1": "sha1:" + "0" * 40,
        "../": "sha256:../../../../etc/passwd",
        "long": "sha256:" + "0" * 5000,
    }[which]
    stage.lie(
        lambda s, r: Reply(200, r.body, r.headers | {"Docker-Content-Digest": stated}),
        "/manifests/1.5",
    )


@behaviour("wrong Content-Type", "text/html", "application/json", OCI_INDEX, "", "\x7f")
def _(stage, kind):
    stage.lie(lambda s, r: Reply(200, r.body, r.headers | {"Content-Type": kind}), "/manifests/")


@behaviour("alternating answers")
def _(stage):
    repository = stage.liar.repository("other")
    other = images.image(repository)
    raw = repository.open(other).read()
    stage.lie(
        lambda s, r: (
            Reply(200, raw, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": other.digest})
            if next(stage.liar.numbers) % 2
            else None
        ),
        "/manifests/",
    )


@behaviour("404 with a body that says 200")
def _(stage):
    body = b'{"status": 200, "errors": []}'
    stage.lie(lambda s, r: Reply(404, body, {"Content-Type": "application/json"}))


# Documents


def _document(**fields):
    layer = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"layer")), "size": 5}
    base = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": layer, "layers": [layer]}
    return json.dumps(base | fields).encode()


def _layer(**fields):
    layer = {"mediaType": OCI_LAYER, "digest": str(Digest.of(b"layer")), "size": 5}
    return _document(layers=[layer | fields])


DOCUMENTS = {
    "a manifest that is an index, too": _document(manifests=[]),
    "keys twice": b'{"schemaVersion": 2, "schemaVersion": 2, "layers": [], "config": {}}',
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "NaN size": b'{"schemaVersion": 2, "layers": [{"size": NaN}], "config": {}}',
    "negative size": _layer(size=-1),
    "a size of 2^60": _layer(size=2**60),
    "sha1": _layer(digest="sha1:" + "0" * 40),
    "sha512 with the digits of a sha256": _layer(digest="sha512:" + "0" * 64),
    "../ in a digest": _layer(digest="sha256:../../../../etc/passwd"),
    "4 MiB and a byte": b" " * (_MANIFEST_BYTES + 1),
    "a million layers": _document(layers=[{}] * 300_000),
    "schema 1": b'{"schemaVersion": 1, "name": "a/b"}',
}


@behaviour("document", *DOCUMENTS)
def _(stage, which):
    stage.serve(DOCUMENTS[which])


# Without end, or a bomb


@behaviour("endless body", "/blobs/", "/manifests/")
def _(stage, what):
    stage.lie(
        lambda s, r: Reply(raw=b"HTTP/1.1 200 X\r\n\r\n", body=stage.liar.endless(), close=True),
        what,
        ("GET",),
    )


@behaviour("endless chunks", "/blobs/", "/manifests/")
def _(stage, what):
    def chunks():
        for piece in stage.liar.endless():
            yield b"%x\r\n" % len(piece) + piece + b"\r\n"

    headers = {"Transfer-Encoding": "chunked", "Content-Type": OCI_INDEX}
    stage.lie(lambda s, r: Reply(200, chunks(), headers), what, ("GET",))


@behaviour("endless header", "one", "many", "1xx")
def _(stage, which):
    start, piece = {
        "one": (b"HTTP/1.1 200 X\r\nX: ", b"y" * 65536),
        "many": (b"HTTP/1.1 200 X\r\n", b"a: b\r\n" * 1000),
        "1xx": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    }[which]
    stage.lie(
        lambda s, r: Reply(raw=start, body=stage.liar.endless(piece), close=True), "", ("GET",)
    )


@behaviour("gzip Content-Encoding on a blob")
def _(stage):
    stage.lie(
        lambda s, r: Reply(200, images.gzip(r.body), r.headers | {"Content-Encoding": "gzip"}),
        "/blobs/",
    )


@behaviour("a bomb", "gzip", "deflate", "zstd", "br")
def _(stage, encoding):
    bomb = zlib.compress(bytes(50_000_000), 9)
    stage.lie(lambda s, r: Reply(200, bomb, r.headers | {"Content-Encoding": encoding}))


# Parts, resets, and time


def _cut(stage, count):
    """Answer with so many bytes of the body, then a reset."""

    def body(whole):
        yield whole[:count]
        for sock in list(stage.site._open):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    return lambda s, r: Reply(r.status, body(r.body), r.headers | {"Content-Length": len(r.body)})


@behaviour("reset at byte", 0, 1, -1)
def _(stage, count):
    stage.lie(_cut(stage, count), "", ("GET",))


def _after_a_break(stage, answer):
    """Break each blob off in its middle; answer what goes on from there by `answer(whole)`."""

    def lie(seen, reply):
        if seen.headers.get("range"):
            return answer(stage.liar.repository().open(_asked(stage, seen)).read())
        return _cut(stage, len(reply.body) // 2)(seen, reply)

    stage.lie(lie, "/blobs/", ("GET",))


def _asked(stage, seen):
    return stage.liar.repository().find(Digest.parse(seen.path.rpartition("/")[2]))


@behaviour("200 to a Range", "the whole", "the rest", "other bytes")
def _(stage, which):
    bodies = {
        "the whole": lambda whole: whole,
        "the rest": lambda whole: whole[len(whole) // 2 :],
        "other bytes": lambda whole: bytes(len(whole)),
    }
    _after_a_break(stage, lambda whole: Reply(200, bodies[which](whole)))


@behaviour("wrong Content-Range", "0-", "*", "backwards", "another size", "none", "nonsense")
def _(stage, which):
    def part(whole):
        half, size = len(whole) // 2, len(whole)
        stated = {
            "0-": f"bytes 0-{size - half - 1}/{size}",
            "*": "bytes */*",
            "backwards": f"bytes {size}-{half}/{size}",
            "another size": f"bytes {half}-{size - 1}/{size + 5}",
            "nonsense": "bytes x-y/z",
        }.get(which)
        return Reply(206, whole[half:], {"Content-Range": stated} if stated else {})

    _after_a_break(stage, part)


@behaviour("a byte a time", "/blobs/", "/manifests/")
def _(stage, what):
    def drip(content):
        for byte in content:
            yield bytes([byte])
            stage.site.wait(0.05)

    stage.lie(
        lambda s, r: Reply(r.status, drip(r.body), r.headers | {"Content-Length": len(r.body)}),
        what,
        ("GET",),
    )


@behaviour("silence")
def _(stage):
    stage.lie(lambda s, r: stage.site.wait(30))


@behaviour("hanging up")
def _(stage):
    stage.lie(lambda s, r: HANG_UP)


@behaviour("HTTP/1.0, and close")
def _(stage):
    def old(seen, reply):
        lines = [f"{name}: {value}" for name, value in reply.headers.items()]
        head = "\r\n".join(["HTTP/1.0 200 OK", *lines, "", ""]).encode()
        return Reply(raw=head, body=reply.body, close=True)

    stage.lie(old, "", ("GET",))


# Elsewhere


@behaviour("redirect to another port", 301, 302, 303, 307, 308)
def _(stage, status):
    stage.lie(lambda s, r: Reply(status, b"", {"Location": f"{stage.trap.url}/x"}))


@behaviour("redirect to another port, which wants a login", 302, 307)
def _(stage, status):
    stage.trap.answer = lambda seen: refused(401, **{"WWW-Authenticate": 'Basic realm="more"'})
    stage.lie(lambda s, r: Reply(status, b"", {"Location": f"{stage.trap.url}/x"}))


@behaviour(
    "redirect to",
    "http://example.org/",
    "https://169.254.169.254/",
    "http://169.254.169.254/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://me:pw@127.0.0.1/",
    "//\\127.0.0.1/",
    "http://",
)
def _(stage, place):
    stage.lie(lambda s, r: Reply(307, b"", {"Location": place}))


@behaviour("redirect from outside to", "127.0.0.2", "inner.example.org", "[::ffff:127.0.0.2]")
def _(stage, place):
    """A registry on a public address sends the client to one inside, by number and by name."""
    _outside(stage)
    there = f"http://{place}:{stage.trap.port}"
    stage.site.answer = lambda seen: Reply(307, b"", {"Location": f"{there}/x"})


@behaviour("realm inside, from outside", "127.0.0.2", "inner.example.org")
def _(stage, place):
    _outside(stage)
    realm = f"http://{place}:{stage.trap.port}/token"
    stage.site.answer = lambda seen: refused(401, **{"WWW-Authenticate": f'Bearer realm="{realm}"'})


def _outside(stage):
    """Let the registry be on a public address, and the trap on one inside."""
    names = {"registry.example.org": "127.0.0.1", "inner.example.org": "127.0.0.2"}
    inside = ("127.0.0.2", "::ffff:127.0.0.2", "::ffff:7f00:2")
    stage.domain = f"registry.example.org:{stage.site.port}"
    stage.world = (names, dict.fromkeys(inside, Zone.PRIVATE))


@behaviour("redirect loop", "the same", "ever new")
def _(stage, which):
    stage.lie(
        lambda s, r: Reply(
            302,
            b"",
            {"Location": s.target if which == "the same" else f"/v2/x/{next(stage.liar.numbers)}"},
        )
    )


@behaviour("upload Location elsewhere")
def _(stage):
    stage.lie(lambda s, r: Reply(202, b"", {"Location": f"{stage.trap.url}/u"}), "", ("POST",))


# Logins


@behaviour("a 401 loop", "Basic", "Bearer")
def _(stage, kind):
    def again(seen):
        if seen.path == "/token":
            return Reply(200, b'{"token": "t%d"}' % next(stage.liar.numbers))
        realm = f"{stage.site.url}/token" if kind == "Bearer" else "x"
        return refused(401, **{"WWW-Authenticate": f'{kind} realm="{realm}"'})

    stage.site.answer = again


CHALLENGES = {
    "none": "",
    "commas": ",,,,",
    "bare": "Bearer",
    "no URL": 'Bearer realm="not a url"',
    "ftp": 'Bearer realm="ftp://x/"',
    "metadata": 'Bearer realm="http://169.254.169.254/token"',
    "1 MiB": "Bearer realm=" + "x" * 2**20,
    "two": ['Basic realm="x"', 'Bearer realm="http://169.254.169.254/"'],
    "digest": 'Digest realm="x", nonce="y"',
    "controls": '\x00\x01"\\',
    "unended": 'Bearer realm="x',
}


@behaviour("WWW-Authenticate", *CHALLENGES)
def _(stage, which):
    stage.site.answer = lambda seen: refused(401, **{"WWW-Authenticate": CHALLENGES[which]})


@behaviour("foreign realm", "another host", "another host, many times")
def _(stage, which):
    foreign = stage.trap.url.replace("127.0.0.1", "localhost")
    count = 50 if "many" in which else 1
    stage.liar.challenge = [f'Bearer realm="{foreign}/{i}"' for i in range(count)]


@behaviour("a token of 10 MiB")
def _(stage):
    stage.trap.answer = lambda seen: Reply(200, b'{"token": "%s"}' % (b"x" * 10 * 2**20))
    stage.liar.challenge = f'Bearer realm="{stage.trap.url}/token"'


@behaviour("a token server that redirects")
def _(stage):
    def elsewhere(seen):
        if seen.path == "/token":
            place = stage.trap.url.replace("127.0.0.1", "localhost")
            return Reply(307, b"", {"Location": f"{place}/stolen"})
        return refused(401, **{"WWW-Authenticate": f'Bearer realm="{stage.site.url}/token"'})

    stage.site.answer = elsewhere


# Not now


@behaviour(
    "429",
    *("1", "3600", "9" * 30, "-1", "soon", ""),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"),
)
def _(stage, after):
    stage.lie(lambda s, r: refused(429, **{"Retry-After": after}))


# Lists


@behaviour("pages", "endless", "of nothing", "in a circle", "elsewhere")
def _(stage, which):
    def lie(seen, reply):
        number = next(stage.liar.numbers)
        links = {"in a circle": "/v2/x", "elsewhere": f"{stage.trap.url}/x"}
        tags = ["a"] if which == "of nothing" else [f"t{number}.{i}" for i in range(20_000)]
        link = links.get(which, f"/v2/a/b/tags/list?{number}")
        return Reply(200, json.dumps({"tags": tags}).encode(), {"Link": f'<{link}>; rel="next"'})

    stage.lie(lie, "/tags/")


@behaviour("endless referrers")
def _(stage):
    def lie(seen, reply):
        number = next(stage.liar.numbers)
        entry = {"mediaType": OCI_MANIFEST, "size": 5}
        listed = [entry | {"digest": str(Digest.of(b"%d.%d" % (number, i)))} for i in range(2000)]
        headers = {"Link": f'</v2/a/b/referrers/x?{number}>; rel="next"', "Content-Type": OCI_INDEX}
        return Reply(200, json.dumps({"manifests": listed}).encode(), headers)

    stage.lie(lie, "/referrers/")


# Verbs


def pull(stage, source, folder, honest):
    """Pull into a store; return, in words, what is wrong with what it has then."""
    with Store(folder / "store", actor="tester@here") as store:
        target = store.repository("registry.example/target")
        try:
            copy(source, target, source.resolve(TAG), TAG)
            if target.resolve(TAG).digest != stage.liar.root.digest:
                yield "the tag is at another image"
        except KillickError as error:
            yield from _said(error)
            if list(target.tags()):
                yield "it failed, and the tag is there"
        yield from (f"verify: {finding.problem}" for finding in store.verify() if finding.damage)
    for path in (folder / "store" / "blobs").glob("*/*"):
        if str(Digest.of(path.read_bytes(), path.parent.name)).partition(":")[2] != path.name:
            yield f"{path.name} has other bytes"


def mirror(stage, source, folder, honest):
    """Copy to another, honest registry."""
    with Site(honest) as site, RemoteRegistry(site.domain) as registry:
        target = registry.repository("mirrored")
        try:
            copy(source, target, source.resolve(TAG), TAG)
            if target.resolve(TAG).digest != stage.liar.root.digest:
                yield "the tag is at another image"
        except KillickError as error:
            yield from _said(error)
            if list(honest.repository("mirrored").tags()):
                yield "it failed, and the tag is there"
        if site.holds(SECRET, BASIC.split()[1]):
            yield "the other registry got the password"


def push(stage, source, folder, honest):
    """Push a blob; the upload is where credentials could go astray, too."""
    data = b"pushed"
    try:
        source.put(Descriptor.of("application/octet-stream", data), io.BytesIO(data))
    except KillickError as error:
        yield from _said(error)


def digest(stage, source, folder, honest):
    """Ask what the tag is; a lie here is found by who fetches."""
    try:
        source.resolve(TAG)
    except KillickError as error:
        yield from _said(error)


def manifest(stage, source, folder, honest):
    """Fetch the document that the tag names."""
    try:
        d = source.resolve(TAG)
        raw = fetch_bytes(source, d, _MANIFEST_BYTES)
        if Digest.of(raw, d.digest.algorithm) != d.digest:
            yield "other bytes came than those of the digest"
    except KillickError as error:
        yield from _said(error)


def lists(stage, source, folder, honest):
    """List the tags and the referrers."""
    try:
        if not all(isinstance(tag, Tag) for tag in source.tags()):
            yield "something in the list is no tag"
        list(source.referrers(stage.liar.root.digest))
    except KillickError as error:
        yield from _said(error)


VERBS = {
    "pull": pull,
    "copy": mirror,
    "push": push,
    "digest": digest,
    "manifest": manifest,
    "lists": lists,
}


def problems(name, verb, folder):
    """Yield, in words, what goes wrong when `verb` meets the behaviour `name`."""
    liar = Liar()
    with ExitStack() as open_:
        site = open_.enter_context(Site(liar))
        host = "127.0.0.2" if "from outside" in name else "127.0.0.1"
        trap = open_.enter_context(Site(lambda seen: Reply(200, b"trapped"), host=host))
        stage = Stage(liar, site, trap)
        BEHAVIOURS[name](stage)
        started = time.monotonic()
        registry = open_.enter_context(_client(stage))
        try:
            yield from VERBS[verb](stage, registry.repository("a/b"), folder, Honest())
        except Exception as error:  # whatever escapes is what is looked for
            yield f"an error of another kind: {error!r}"
        if (took := time.monotonic() - started) > MOST_SECONDS:
            yield f"it took {took:.1f} s"
        yield from _ledger(stage)


def _client(stage):
    if not stage.world:
        return RemoteRegistry(stage.site.domain, ACCESS)
    plain = replace(ACCESS, plain_http=True)
    return RemoteRegistry(stage.domain, plain, dialer_for(stage.domain, plain, *stage.world))


def _ledger(stage):
    """Yield what was asked too often, taken too much of, and sent where it must not go."""
    if len(stage.site.seen) > MOST_REQUESTS:
        yield f"{len(stage.site.seen)} requests"
    if stage.liar.sent > MOST_BYTES:
        yield f"{stage.liar.sent} bytes were taken"
    tokens = [seen for seen in (*stage.site.seen, *stage.trap.seen) if "token" in seen.path]
    challenged = len(stage.site.seen) - len([s for s in stage.site.seen if "token" in s.path])
    if len(tokens) > 2 * max(challenged, 1):
        yield f"{len(tokens)} tokens were fetched"
    foreign = [s for s in stage.trap.seen if not _may_have_it(stage, s)]
    whole = repr([(s.target, s.headers, s.body) for s in foreign])
    if any("authorization" in s.headers for s in foreign) or SECRET in whole:
        yield f"a credential went to {stage.trap.domain}"
    if stage.world and (stage.trap.seen or not stage.site.seen):
        yield f"{len(stage.trap.seen)} requests went inside, {len(stage.site.seen)} did not"


def _may_have_it(stage, seen):
    """Whether a token server may see the password: on the registry's own host, asked for a token.

    (Another port of the same host is as trusted as the host; see docs/decisions/0003.)
    """
    return seen.path == "/token" and f"{stage.trap.url}/token" in str(stage.liar.challenge)


def _said(error):
    text = f"{error.message} {error.hint}"
    if SECRET in text or BASIC.split()[1] in text:
        yield "the error tells the password"
    if len(text) > 900 or not all(c.isprintable() for c in text):
        yield f"the error is unfit for a terminal: {text[:200]!r}"
