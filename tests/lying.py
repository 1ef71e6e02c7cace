"""Servers on real sockets that say whatever a test wants, and an honest registry to start from.

A `Site` listens on a port of its own and writes down every request, with every byte of every
header: the ledger in which a test looks for credentials that are off their origin.
"""

import contextlib
import io
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import images
from killick.client.dial import Dialer
from killick.client.origin import Zone, origin_of
from killick.client.tls import Trust
from killick.digest import Digest
from killick.errors import NotFound
from killick.manifest import Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag


@dataclass
class Seen:
    """One request, as it came."""

    port: int
    method: str
    target: str
    headers: dict
    body: bytes

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return {k: v[0] for k, v in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Reply:
    """An answer. `body` is bytes, or yields them; `raw` replaces the head; `close` hangs up.

    An early answer comes when `taken` bytes of the request's body have been read.
    """

    status: int = 200
    body: object = b""
    headers: dict = field(default_factory=dict)
    close: bool = False
    raw: bytes | None = None
    length: int | None = None
    taken: int = 0

    def head(self):
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} X"]
        named = {name.lower() for name in self.headers}
        if isinstance(self.body, bytes) and not named & {"content-length", "transfer-encoding"}:
            length = len(self.body) if self.length is None else self.length
            lines.append(f"Content-Length: {length}")
        if self.close:
            lines.append("Connection: close")
        for name, value in self.headers.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{name}: {v}" for v in values]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


HANG_UP = Reply(raw=b"", close=True)


class Site:
    """Answers on 127.0.0.1 by `answer(seen) -> Reply`; over TLS if a context is given."""

    def __init__(self, answer, tls=None, host="127.0.0.1"):
        self.answer = answer
        self.seen = []
        self.connections = 0
        self._tls = tls
        self._open = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._socket = socket.create_server((host, 0), backlog=64)
        self.host = host
        self.port = self._socket.getsockname()[1]
        self.domain = f"{host}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.domain}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stop.set()
        with self._lock:
            for sock in [self._socket, *self._open]:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._socket.close()

    def wait(self, seconds):
        """Sleep, unless the test is over."""
        if self._stop.wait(seconds):
            raise ConnectionAbortedError

    @property
    def secrets(self):
        """Every Authorization header that ever came here."""
        return [s.headers["authorization"] for s in self.seen if "authorization" in s.headers]

    def holds(self, *texts):
        """Whether any of the texts came here in whatever place."""
        whole = repr([(s.target, s.headers, s.body) for s in self.seen])
        return any(text in whole for text in texts)

    def _accept(self):
        while not self._stop.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            with self._lock:
                self._open.add(sock)
                self._threads.append(thread)
                self.connections += 1
            thread.start()

    def _serve(self, plain):
        sock = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(sock)
            with sock.makefile("rb") as file:
                while self._one(sock, file):
                    pass
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
                self._open.discard(plain)
                sock.close()

    def _one(self, sock, file):
        first = file.read(1)
        if not first.isalpha():
            sock.sendall(b"HTTP/1.0 400 X\r\n\r\n" if first else b"")
            return False
        line = first + file.readline(65536)
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := file.readline(65536)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        seen = Seen(self.port, method, target, headers, b"")
        with self._lock:
            self.seen.append(seen)
        early = getattr(self.answer, "early", None)
        reply = early(seen) if early else None
        if reply is not None:
            file.read(reply.taken)
        else:
            seen.body = file.read(int(headers.get("content-length", 0)))
            reply = self.answer(seen)
        sock.sendall(reply.head())
        if method != "HEAD":
            for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                sock.sendall(piece)
        return not reply.close


def refused(status, code="", message="", **headers):
    """Return a registry's refusal."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, body, {"Content-Type": "application/json", **headers})


class Honest:
    """A registry over memory; `lie(seen, reply)` may put another answer in the place of a true one.

    `lie` may also return None: then the true one is sent.
    """

    def __init__(self, lie=None, *, referrers=True):
        self.registry = MemoryRegistry()
        self.uploads = {}
        self.lie = lie
        self.referrers = referrers
        self._lock = threading.Lock()

    def repository(self, name="a/b"):
        return self.registry.repository(name)

    def __call__(self, seen):
        reply = self._true(seen)
        changed = self.lie(seen, reply) if self.lie else None
        return reply if changed is None else changed

    def _true(self, seen):
        if seen.path == "/v2/":
            return Reply(200, b"{}", {"Content-Type": "application/json"})
        if seen.path == "/v2/_catalog":
            return self._list("repositories", list(self.registry.repositories()), seen)
        match = re.fullmatch(
            r"/v2/(.+)/(manifests|blobs/uploads|blobs|tags|referrers)/(.*)", seen.path
        )
        if match is None:
            return refused(404, "NAME_UNKNOWN")
        name, kind, rest = match.groups()
        handler = getattr(self, "_" + kind.replace("/", "_"))
        try:
            return handler(self.repository(name), rest, seen)
        except NotFound as error:
            return refused(404, error.code.replace("-", "_").upper(), error.message)

    def _list(self, key, names, seen):
        n = int(seen.query.get("n", 1000))
        last = seen.query.get("last", "")
        left = [name for name in names if name > last]
        headers = {"Content-Type": "application/json"}
        if len(left) > n:
            headers["Link"] = f'<{seen.path}?n={n}&last={left[n - 1]}>; rel="next"'
        return Reply(200, json.dumps({key: left[:n]}).encode(), headers)

    def _tags(self, repository, _, seen):
        if repository.is_empty:
            return refused(404, "NAME_UNKNOWN", "no such repository")
        return self._list("tags", list(repository.tags()), seen)

    def _manifests(self, repository, rest, seen):
        ref = Digest.parse(rest) if ":" in rest else Tag(rest)
        if seen.method == "PUT":
            d = Descriptor.of(seen.headers["content-type"], seen.body)

            repository.put(d, io.BytesIO(seen.body))
            if isinstance(ref, Tag):
                repository.tag(ref, d)
            headers = {"Docker-Content-Digest": d.digest}
            subject = json.loads(seen.body).get("subject")
            if subject and self.referrers:
                headers["OCI-Subject"] = subject["digest"]
            return Reply(201, b"", headers)
        d = repository.resolve(ref)
        if seen.method == "DELETE":
            repository.untag(ref) if isinstance(ref, Tag) else repository.delete(d)
            return Reply(202)
        raw = repository.open(d).read()
        headers = {"Content-Type": d.media_type, "Docker-Content-Digest": d.digest}
        return Reply(200, raw, headers)

    def _referrers(self, repository, rest, seen):
        if not self.referrers:
            return refused(404)
        found = repository.referrers(Digest.parse(rest), seen.query.get("artifactType"))
        body = {"schemaVersion": 2, "manifests": [d.to_json() for d in found]}
        headers = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
        return Reply(200, json.dumps(body).encode(), headers)

    def _blobs(self, repository, rest, seen):
        d = repository.find(Digest.parse(rest))
        if seen.method == "DELETE":
            repository.delete(d)
            return Reply(202)
        raw = repository.open(d).read()
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": d.digest}
        match = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if match is None:
            return Reply(200, raw, headers)
        start = int(match[1])
        headers["Content-Range"] = f"bytes {start}-{d.size - 1}/{d.size}"
        return Reply(206, raw[start:], headers)

    def _blobs_uploads(self, repository, rest, seen):
        if seen.method == "POST":
            if "mount" in seen.query:
                d = Descriptor("x", Digest.parse(seen.query["mount"]), 0)
                if repository.mount(d, seen.query["from"]):
                    return Reply(201, b"", {"Location": f"/v2/{repository.name}/blobs/{d.digest}"})
            with self._lock:
                identifier = f"u{len(self.uploads)}"
                self.uploads[identifier] = b""
            return self._at(repository, identifier, 202)
        if rest not in self.uploads:
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        if seen.method == "DELETE":
            del self.uploads[rest]
            return Reply(204)
        if seen.method == "PATCH":
            start = int(seen.headers["content-range"].partition("-")[0])
            if start != len(self.uploads[rest]):
                return refused(416)
        self.uploads[rest] += seen.body
        if seen.method != "PUT":
            return self._at(repository, rest, 204 if seen.method == "GET" else 202)
        content = self.uploads[rest]
        if str(Digest.of(content)) != seen.query["digest"]:
            return refused(400, "DIGEST_INVALID", "not that digest")

        images.put(repository, "application/octet-stream", content)
        return Reply(201, b"", {"Location": "/x", "Docker-Content-Digest": Digest.of(content)})

    def _at(self, repository, identifier, status):
        held = len(self.uploads[identifier])
        location = f"/v2/{repository.name}/blobs/uploads/{identifier}?state=1"
        return Reply(status, b"", {"Location": location, "Range": f"0-{max(held - 1, 0)}"})


def dialer_for(domain, access, names, zones=None):
    """Return a dialer in a world where host names lead to `names`, and addresses lie in `zones`.

    Addresses that `zones` does not list are public.
    """

    def resolve(host, port):
        address = names.get(host, host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]

    def zone(address):
        return (zones or {}).get(address, Zone.PUBLIC)

    origin = origin_of(domain, plain_http=access.plain_http, tls=access.tls)
    return Dialer(access, Trust(access, origin), resolve, zone)
