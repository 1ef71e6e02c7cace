"""Two served registries, each in a process of its own: a store, and a client of the first one."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import killick
from killick.client import RemoteRegistry
from killick.rules import BY_SPECIFICATION
from killick.server import OPEN, application, run
from killick.store import Store

HOST = "127.0.0.1"


def over_a_store(folder, worker):
    store = Store(Path(folder), actor="tester@server", policy=BY_SPECIFICATION)
    return application(store, OPEN, on_close=store.close)


def over_a_client(domain, worker):
    remote = RemoteRegistry(domain)
    return application(remote, OPEN, on_close=remote.close)


def main():
    make = {"store": over_a_store, "client": over_a_client}[sys.argv[1]]
    run(partial(make, sys.argv[2]), (HOST, 0), lambda url: print(url, flush=True))


@contextmanager
def served(kind, over):
    """Serve a registry over a folder (`store`) or a domain (`client`); yield its own domain."""
    paths = [str(Path(killick.__file__).parents[1]), str(Path(__file__).parents[1])]
    process = subprocess.Popen(
        [sys.executable, "-c", "from contract.servers import main; main()", kind, str(over)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process.stdout.readline().strip().removeprefix("http://")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
