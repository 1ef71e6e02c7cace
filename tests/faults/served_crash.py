"""kill -9 of a registry at every durable step of taking a push; then it is started again."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from faults import tracing
from faults.machine import need
from faults.processes import Served
from faults.promises import problems
from faults.pushing import SCRIPTS, Calls, NotAcknowledged
from faults.results import row

SHORT = 12
WORKERS = 4
"""Tries at a time: more than cores, as they mostly wait, for strace and the disk."""
RESTART_WITHIN = 30.0
"""Seconds, on a busy machine; how fast it is has a test of its own (`restart`)."""


def served_crash_points(world, rows, scale):
    """Kill the registry at its durable steps, under each script of calls."""
    need("strace")
    for name, script in scale.some(list(SCRIPTS.items())):
        with row(f"kill -9: serve, {name}", rows) as found:
            points = dry_run(world, script)
            chosen = tracing.sample(points, scale.most(SHORT))
            with ThreadPoolExecutor(WORKERS) as pool:
                tried = pool.map(partial(_kill, world, script), chosen)
                for step, (struck, said) in zip(chosen, tried, strict=True):
                    found.point(f"{name}, {step}", said, struck=struck)
            found.note = f"{found.struck} struck, of {len(points)} durable steps"


def dry_run(world, script, wanted=tracing.DURABLE, only=lambda log, found: found):
    """Serve and push without a fault; return the steps that the server makes.

    `only(log, found)` says which of those that were found are of interest.
    """
    root = world.fresh(world.served)
    log = Path(f"{root}.trace")
    with Served(root, tracing.strace(log)) as server:
        script(Calls(server.port))
    shutil.rmtree(root)
    return only(log, tracing.steps(log, wanted))


def calling(root, script, prefix=()):
    """Serve, call until something fails or all is done; return the caller, and which it was."""
    done = False
    with Served(root, prefix) as server:
        calls = Calls(server.port)
        if server.port is not None:
            with suppress(NotAcknowledged):
                script(calls)
                done = True
    return calls, done


def _kill(world, script, step):
    root = world.fresh(world.served)
    log = Path(f"{root}.trace")
    calls, done = calling(root, script, tracing.strace(log, inject=tracing.killed(step)))
    before = world.served.before
    found = list(problems(root, before, calls.promised, calls.may))
    found += push_again(root, before, script)
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
