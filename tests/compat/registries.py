"""A registry as tests see it: an address, and plain HTTP to put and get what it holds."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compat.images import Blob, Image
from compat.processes import daemon, free_port, listens


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Registry:
    """Talks the distribution API with nothing but http.client, as an independent witness."""

    host: str  # with port

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())

    def push(self, repository: str, image: Image, tag: str | None = None) -> str:
        """Everything of the image, children first; returns the digest of its root."""
        for blob in image.blobs:
            self._push_blob(repository, blob)
        for manifest in image.manifests:
            self._push_manifest(repository, manifest, manifest.digest)
        if tag is not None:
            self._push_manifest(repository, image.root, tag)
        return image.root.digest

    def manifest(self, repository: str, reference: str) -> Blob:
        answer = self.ask(
            "GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPTED}
        )
        assert answer.status == 200, answer
        return Blob(answer.headers["content-type"], answer.body)

    def blob(self, repository: str, digest: str) -> bytes:
        answer = self.ask("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.status == 200, answer
        return answer.body

    def tags(self, repository: str) -> list[str]:
        answer = self.ask("GET", f"/v2/{repository}/tags/list")
        return sorted(json.loads(answer.body)["tags"] or []) if answer.status == 200 else []

    def _push_blob(self, repository: str, blob: Blob) -> None:
        started = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert started.status == 202, started
        where = started.headers["location"].split(self.host, 1)[-1]
        where += ("&" if "?" in where else "?") + "digest=" + blob.digest
        binary = {"Content-Type": "application/octet-stream"}
        done = self.ask("PUT", where, blob.data, binary)
        assert done.status == 201, done

    def _push_manifest(self, repository: str, manifest: Blob, reference: str) -> None:
        done = self.ask(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            manifest.data,
            {"Content-Type": manifest.media_type},
        )
        assert done.status == 201, done


ACCEPTED = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "{host}"}}
"""


@contextlib.contextmanager
def distribution(program: str, root: Path) -> Iterator[Registry]:
    """The distribution registry (any version) over a folder, on a free loopback port."""
    port = free_port()
    host = f"127.0.0.1:{port}"
    settings = root / "registry.yml"
    settings.write_text(CONFIGURATION.format(root=root / "data", host=host))
    with daemon(
        [program, "serve", str(settings)],
        ready=lambda: listens(port),
        log=root / "registry.log",
        env={"OTEL_TRACES_EXPORTER": "none"},  # version 3 would look for a collector
    ):
        yield Registry(host)
