"""Two registries over one folder, in processes of their own, whose lease can be short.

python -m faults.serving ROOT LEASE      serves ROOT on a free port until its input ends
"""

import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from faults.processes import environment
from killick.server import OPEN, application, run
from killick.store import Store


def over(root, lease, worker):
    """Make the application, in a worker of the server."""
    store = Store(Path(root), lease=timedelta(seconds=lease), retention=None)
    # It is held to whole images, as its store is: a part that went would else be no error.
    return application(store, OPEN, on_close=store.close)


def main():
    root, lease = sys.argv[1], float(sys.argv[2])
    run(partial(over, root, lease), ("127.0.0.1", 0), lambda url: print(url, flush=True))


class Server:
    """One of them; `said` is all that it wrote to stderr."""

    def __init__(self, root, lease):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "faults.serving", str(root), str(lease)],
            env=environment(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = []
        self._listener = threading.Thread(
            target=lambda: self._lines.extend(self.process.stderr), daemon=True
        )
        self._listener.start()
        url = self.process.stdout.readline()
        if not url:
            self.process.wait(10)
            raise RuntimeError(f"no server: {self.said}")
        self.port = int(url.rpartition(":")[2])

    @property
    def said(self):
        return "".join(self._lines)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listener.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


@contextmanager
def two_servers(root, lease):
    """Yield two of them over one folder."""
    Store(root).close()
    servers = []
    try:
        for _ in range(2):
            servers.append(Server(root, lease))
        yield servers
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
