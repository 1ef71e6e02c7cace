"""Registries to be served in tests, and a served one in a process of its own."""

import http.client
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import killick
from killick.memory import MemoryRegistry, MemoryRepository
from killick.moments import utc_now
from killick.server import OPEN, Limits, application, run


class FiledRepository(MemoryRepository):
    """A repository that also has its blobs in files, as the store has."""

    folder = Path(gettempdir())

    def locate(self, d, /):
        """Return a file with the content."""
        path = self.folder / d.digest.encoded
        with self._lock:
            if not path.exists():
                path.write_bytes(self._content[d.digest])
        return path


class FiledRegistry(MemoryRegistry):
    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def repository(self, name, /):
        if name not in self._repositories:
            made = FiledRepository(name, self, "memory", utc_now)
            made.folder = self.folder
            self._repositories[name] = made
        return self._repositories[name]


class PlainRepository:
    """A repository with content and tags, and no other capability."""

    def __init__(self, inner):
        for method in ("find", "has", "open", "put", "resolve", "tags", "tag", "untag"):
            setattr(self, method, getattr(inner, method))


class PlainRegistry:
    def __init__(self):
        self.inner = MemoryRegistry()

    def repository(self, name, /):
        return PlainRepository(self.inner.repository(name))

    def repositories(self, after="", /):
        return self.inner.repositories(after)


def make(worker):
    """Make the application that `served` serves (called in granian's worker)."""
    registry = FiledRegistry(Path(os.environ["SERVED_FILES"]))
    return application(
        registry, OPEN, Limits(idle=0.5), lambda: Path(os.environ["SERVED_FILES"], "closed").touch()
    )


def main():
    run(make, ("127.0.0.1", int(sys.argv[1])), lambda url: print(url, flush=True))


@contextmanager
def served(folder, port=0):
    """Serve in a process of its own; yield it and its port; stop it."""
    here = Path(__file__).parent
    paths = [str(Path(killick.__file__).parents[1]), str(here)]
    process = subprocess.Popen(
        [sys.executable, "-c", "import serving; serving.main()", str(port)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SERVED_FILES": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            url = process.stdout.readline()
            yield process, int(url.rpartition(":")[2] or 0) if url else 0
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def ask(port, method, path, body=None, headers=None):
    """Send one request; return the answer's status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
