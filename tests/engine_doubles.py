"""Engines made of a table, over real sockets: paths, and what is answered there."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

DIGEST = "sha256:" + "1" * 64


@dataclass
class Double:
    """Answers what stands in `table` (a document; or status and document; or bytes to send raw).

    `asked` records the requests: method and target.
    """

    table: Mapping[str, object]
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def handle_one_request(self):
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.double.asked.append((self.command, self.path))
        self.double.headers.append({k.lower(): v for k, v in self.headers.items()})
        table = self.double.table
        answer = table.get(self.path, table.get(urlsplit(self.path).path, (404, {"message": "no"})))
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            self.close_connection = True
            return
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        """Callers may go away."""


class _Unix(_Tcp):
    address_family = socket.AF_UNIX

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


@contextmanager
def serving(table: Mapping[str, object], socket_path=None, tls=None) -> Iterator[Double]:
    """Serves a table on a Unix socket, or on a free port of loopback (with TLS, by a context)."""
    double = Double(table)
    handler = type("Handler", (_Handler,), {"double": double})
    if socket_path:
        server = _Unix(str(socket_path), handler)
        double.url = f"unix://{socket_path}"
    else:
        server = _Tcp(("127.0.0.1", 0), handler)
        double.url = f"tcp://127.0.0.1:{server.server_address[1]}"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def docker(*containers: str, api: str = "1.41", oldest: str = "1.12") -> dict[str, object]:
    """A Docker Engine with running containers of one image, golftrack:1.5, by their names."""
    at = f"/v{api}"
    image = {
        "Id": DIGEST,
        "RepoTags": ["golftrack:1.5"],
        "RepoDigests": ["golftrack@sha256:" + "2" * 64],
        "Os": "linux",
        "Architecture": "amd64",
    }
    table: dict[str, object] = {
        "/version": {"ApiVersion": api, "MinAPIVersion": oldest, "Version": "20.10.24"},
        f"{at}/containers/json": [
            {"Id": f"id-{name}", "Names": [f"/{name}"], "Image": "golftrack:1.5", "ImageID": DIGEST}
            for name in containers
        ],
        f"{at}/images/{DIGEST}/json": image,
    }
    for name in containers:
        table[f"{at}/containers/id-{name}/json"] = {
            "Id": f"id-{name}",
            "Name": f"/{name}",
            "Image": DIGEST,
            "Created": "2026-11-01T12:00:00.123456789Z",
            "Config": {"Image": "golftrack:1.5", "Labels": {"team": "golf"}},
            "State": {"Status": "running", "StartedAt": "2026-11-01T12:00:01.5Z"},
        }
    return table
