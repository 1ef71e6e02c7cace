"""kill -9 of a registry at every durable step of taking a push; then it is started again.

Under strace each call of a process is stopped at, which makes the start of a server slow. So its
steps while it starts are tried once, and for each script of calls those that come after.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faults import tracing
from faults.crash import kill_at
from faults.machine import need
from faults.processes import Served
from faults.promises import problems
from faults.pushing import SCRIPTS, Calls, NotAcknowledged, whole
from faults.results import row

SHORT = 12
RESTART_WITHIN = 30.0
"""Seconds, on a busy machine; how fast it is has a test of its own (`restart`)."""


@dataclass(frozen=True)
class Way:
    """What is tried: the steps of a registry under a script, or those of its start (`starts`).

    `module` is run in place of killick.
    """

    name: str
    script: Callable
    starts: bool = False
    module: str | None = None


WAYS = [Way("start", whole, starts=True), *(Way(*each) for each in SCRIPTS.items())]


def served_crash_points(world, rows, scale):
    """Kill the registry at its durable steps, at its start and under each script of calls."""
    need("strace", "pgrep", root=True)
    for way in scale.some(WAYS):
        with row(f"kill -9: serve, {way.name}", rows) as found:
            kill_at(found, dry_run(world, way), scale.most(SHORT), partial(_kill, world, way))


def dry_run(world, way, wanted=tracing.DURABLE, only=lambda log, found: found):
    """Serve and push without a fault; return the steps that the server makes.

    `only(log, found)` says which of those that were found are of interest.
    """
    root = world.fresh(world.served)
    log = Path(f"{root}.trace")
    with traced(root, way) as server:
        if not way.starts:
            way.script(Calls(server.port))
    shutil.rmtree(root)
    return only(log, tracing.steps(log, wanted))


@contextmanager
def traced(root, way, inject=None):
    """Serve under strace, from the beginning if the start is what is tried; yield the server."""
    log = Path(f"{root}.trace")
    if way.starts:
        with Served(root, tracing.strace(log, inject=inject), module=way.module) as server:
            yield server
        return
    with Served(root, module=way.module) as server:
        with tracing.looking_at(server.processes, log, inject) as over:
            yield server
            server.stop()
            over()


def calling(server, script):
    """Call until something fails or all is done; return the caller, and which it was."""
    calls, done = Calls(server.port), False
    if server.port is not None:
        with suppress(NotAcknowledged):
            script(calls)
            done = True
    return calls, done


def _kill(world, way, step):
    root = world.fresh(world.served)
    log = Path(f"{root}.trace")
    with traced(root, way, tracing.killed(step)) as server:
        calls, done = calling(server, way.script)
    before = world.served.before
    found = list(problems(root, before, calls.promised, calls.may))
    found += push_again(root, before, way.script)
    log.unlink()
    shutil.rmtree(root)
    return not done, found


def push_again(root, before, script):
    """Yield what is wrong when the registry is started again and everything is pushed once more."""
    started = time.monotonic()
    with Served(root) as server:
        if server.port is None:
            yield f"it does not start again: {server.said[-300:]}"
            return
        if (took := time.monotonic() - started) > RESTART_WITHIN:
            yield f"it took {took:.1f} s to start again"
        calls = Calls(server.port)
        try:
            script(calls)
        except NotAcknowledged as error:
            yield f"the second push failed: {error}"
    for problem in problems(root, before, calls.promised):
        yield f"after the second push: {problem}"
