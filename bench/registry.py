"""The registry that everybody pulls from and pushes to: distribution, else Killick's own."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import images

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "{host}"}}
"""


def find(*names: str) -> str | None:
    go_binaries = Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin"
    found = (shutil.which(name) or shutil.which(name, path=str(go_binaries)) for name in names)
    return next(filter(None, found), None)


@contextlib.contextmanager
def running(root: Path, killick: list[str]) -> Iterator[str]:
    """Starts a registry over an empty folder; gives its host and port."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [*killick, "serve", "--addr", host, "--root", str(root / "data")]
    if program := find("registry", "docker-registry"):
        settings = root / "registry.yml"
        settings.write_text(CONFIGURATION.format(root=root / "data", host=host))
        command = [program, "serve", str(settings)]
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        wait(host, process, root / "log")
        yield host
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def fill(
    host: str,
    repository: str,
    folder: Path,
    headers: dict[str, str] | None = None,
    tags: Sequence[str] = ("1",),
) -> str:
    """Pushes a layout; returns the reference of its tag. `headers` go with each request."""
    manifest, needed = images.manifest_of(folder)
    connection = http.client.HTTPConnection(host, timeout=120)
    ask = partial(_ask, connection, headers or {})
    with contextlib.closing(connection):
        for each in needed:
            path = f"/v2/{repository}/blobs/uploads/"
            location = ask("POST", path, b"", 202).removeprefix(f"http://{host}")
            joint = "&" if "?" in location else "?"
            with (folder / "blobs" / each["digest"].replace(":", "/")).open("rb") as blob:
                ask("PUT", f"{location}{joint}digest={each['digest']}", blob, 201)
        for tag in tags:
            ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, 201, images.MANIFEST)
    return f"{host}/{repository}:{tags[0]}"


def _ask(connection, more, method, path, body, expected, kind="application/octet-stream") -> str:
    size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
    headers = {**more, "Content-Type": kind, "Content-Length": str(size)}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != expected:
        raise RuntimeError(f"{method} {path}: {answer.status} {said[:300]!r}")
    return answer.headers["Location"] or ""


def wait(host: str, process: subprocess.Popen, log: Path) -> None:
    """Waits until a request is answered: a port may be open long before."""
    for _ in range(1200):
        probe = http.client.HTTPConnection(host, timeout=10)
        with contextlib.closing(probe), contextlib.suppress(OSError, http.client.HTTPException):
            probe.request("GET", "/v2/")
            probe.getresponse().read()
            return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    process.kill()
    raise RuntimeError(f"the registry did not start: {log.read_text()[-500:]}")
