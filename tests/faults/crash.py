"""kill -9 at every durable step of every operation; then: is all there, and does it work?"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from faults import tracing
from faults.machine import need
from faults.operations import operations
from faults.processes import run
from faults.promises import problems
from faults.results import row

SHORT = 16
WORKERS = 4
"""Tries at a time: more than cores, as they mostly wait, for strace and the disk."""


def crash_points(world, rows, scale):
    """Kill each operation of the command line at its durable steps."""
    need("strace")
    for operation in scale.some(operations(world)):
        with row(f"kill -9: {operation.name}", rows) as found:
            kill = partial(_kill, world, operation)
            kill_at(found, dry_run(world, operation), scale.most(SHORT), kill)


def kill_at(found, points, most, kill):
    """Kill at the points, at so many of them at most; `kill(step)` says if it struck, and what."""
    chosen = tracing.sample(points, most)
    with ThreadPoolExecutor(WORKERS) as pool:
        for step, (struck, said) in zip(chosen, pool.map(kill, chosen), strict=True):
            found.point(f"{found.test}, {step}", said, struck=struck)
    found.note = f"{found.struck} struck, of {len(points)} durable steps"


def dry_run(world, operation, calls=tracing.DURABLE):
    """Run an operation without a fault; return the steps that it makes."""
    root = world.fresh(getattr(world, operation.start))
    log = Path(f"{root}.trace")
    ended = run(operation.words, root, tracing.strace(log))
    if ended.status != operation.status:
        raise RuntimeError(f"{operation.name} does not work at all: {ended.err}")
    shutil.rmtree(root)
    return tracing.steps(log, calls)


def _kill(world, operation, step):
    """Kill an operation as it is about to make a step; return whether, and what is wrong then.

    Threads take turns as they like: where a step was not reached, nothing was killed.
    """
    start = getattr(world, operation.start)
    root = world.fresh(start)
    log = Path(f"{root}.trace")
    ended = run(operation.words, root, tracing.strace(log, inject=tracing.killed(step)))
    done = ended.status == operation.status
    promised = operation.promised if done else ()
    found = list(problems(root, start.before, promised, operation.promised, start.damaged))
    found += run_again(root, start, operation)
    log.unlink()
    shutil.rmtree(root)
    return not done, found


def run_again(root, start, operation):
    """Yield what is wrong when the same command is given once more, without a fault."""
    ended = run(operation.words, root)
    if ended.status not in operation.again:
        yield f"the second run ended with {ended.status}: {ended.err.strip()[-300:]}"
    for problem in problems(root, start.before, operation.promised, damaged=start.damaged):
        yield f"after the second run: {problem}"
