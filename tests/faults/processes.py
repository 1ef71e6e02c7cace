"""The killick that is tried: real processes, some of them under strace."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
SEED = "FAULTS_SEED"
CHORE = "FAULTS_CHORE"
PATIENCE = 600
"""Seconds that no command takes, however busy the machine is."""


@dataclass(frozen=True)
class Ended:
    """How a process went. A negative status is the signal that ended it."""

    status: int
    out: str
    err: str

    @property
    def acknowledged(self):
        return self.status == 0

    def unclean(self):
        """Yield, in words, what is wrong with how it said that it failed."""
        lines = self.err.strip().splitlines()
        if "Traceback" in self.err or "should not happen" in self.err:
            yield f"no clean error: {self.err.strip()[-300:]}"
        elif self.status > 0 and not (lines and lines[-1].startswith("killick: ")):
            yield f"no sentence on stderr, exit {self.status}: {self.err.strip()[-300:]}"
        elif self.status < 0:
            yield f"ended by signal {-self.status}"


def killick(*words):
    """Return the command line of killick; with a seeded fault where one is planted."""
    module = "faults.seeded" if os.environ.get(SEED) else "killick"
    return [sys.executable, "-m", module, *map(str, words)]


def environment(store):
    """Return variables under which nothing but the store (and a planted fault) is found."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", SEED) if name in os.environ}
    return kept | {
        "KILLICK_STORE": str(store),
        "KILLICK_CONFIG": os.devnull,
        "DOCKER_CONFIG": os.devnull + "/none",
        "HOME": str(Path(store).parent),
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)]),
        "PYTHONDONTWRITEBYTECODE": "1",  # else the first run of all would write more than others
    }


def run(words, store, prefix=()):
    """Run `killick WORDS…` to its end; `prefix` is what runs it (strace)."""
    process = subprocess.Popen(
        [*prefix, *killick(*words)],
        env=environment(store),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        _end_all(process)
        out, err = process.communicate()
        return Ended(-signal.SIGALRM, out, err)
    return Ended(process.returncode, out, err)


class Served:
    """A `killick serve` over the folder `root`, on a free port.

    `prefix` is what runs it (strace). `settings` are some of its settings by name, the others are
    in the file `config`. `module` is run in place of killick, with some `more` variables.
    """

    def __init__(self, root, prefix=(), *, settings=None, config=None, module=None, more=None):
        words = killick("serve", "--addr", "127.0.0.1:0", "--root", root)
        for name, value in (settings or {}).items():
            words += ["--set", f"{name}={value}"]
        words += ["--config", config] if config is not None else []
        if module is not None:
            words[words.index("-m") + 1] = module
        self._process = subprocess.Popen(
            [*prefix, *words],
            env=environment(root) | (more or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        # A server that was killed before it could say where it listens has no port.
        line = self._process.stdout.readline()
        self.port = int(line.partition("127.0.0.1:")[2].split()[0]) if " at http" in line else None

    def _listen(self):
        self._said.extend(self._process.stderr)

    @property
    def said(self):
        """What it printed on stderr until now."""
        return "".join(self._said)

    @property
    def ended(self):
        """Whether it is ending by itself; a moment is given to it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        return self._process.returncode is not None

    @property
    def processes(self):
        """The numbers of its processes."""
        return _session(self._process)

    def kill(self):
        """Kill all of its processes, as they are."""
        _end_all(self._process)

    def stop(self):
        """Tell it to stop, and see that it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        _end_all(self._process)
        self._listener.join(5)
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _session(process):
    """Return the numbers of a process that we started and of all that it started itself.

    A server's workers have process groups of their own, but no sessions.
    """
    words = ["pgrep", "--session", str(process.pid)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    return [int(number) for number in found.stdout.split()]


def _end_all(process):
    """Kill what is left of a process that we started, and then of all that it started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while left := _session(process):
        for number in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.005)
