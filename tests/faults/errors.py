"""What the disk refuses: EIO at every fsync, ENOSPC and EDQUOT at every write.

Nothing may be acknowledged that is not there, what fails says so in one sentence, what was there
stays, and the same command works as soon as the disk does. What SQLite does with its own files is
the exception to the first rule: it may fail to tidy its log into the database, which changes
nothing about what is durable; that a run ended well is then checked by what is there.
"""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from faults import crash, served_crash, tracing
from faults.machine import need
from faults.operations import operations
from faults.processes import run
from faults.promises import problems
from faults.pushing import Calls, NotAcknowledged
from faults.results import row

SHORT = 6
SERVED_SHORT = 5
WORKERS = 4
"""Tries at a time: more than cores, as they mostly wait, for strace and the disk."""
ROOM = ("write", "pwrite64", "mkdir", "rename")
PLAIN = "faults.plainloop"
FAULTS = {"EIO": tracing.SYNCS, "ENOSPC": ROOM, "EDQUOT": ROOM}
TURNS = {"ENOSPC": 0, "EDQUOT": 1}
"""Where every point is tried, these take turns: one way of having no room is as the other."""


def disk_errors(world, rows, scale):
    """Fail the durable steps of each command, and of a registry under a push."""
    need("strace", "pgrep", root=True)
    for error, wanted in FAULTS.items():
        with row(f"{error}: commands", rows) as found:
            _commands(world, found, scale, (error, wanted))
        with row(f"{error}: serve", rows) as found:
            _registry(world, found, scale, (error, wanted))


def _commands(world, found, scale, fault):
    error, wanted = fault
    cases = [
        (operation, step)
        for operation in scale.some(operations(world))
        for step in _chosen(crash.dry_run(world, operation, wanted), scale.most(SHORT), error)
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        tried = pool.map(lambda case: _failing(world, *case, error), cases)
        for (operation, step), said in zip(cases, tried, strict=True):
            found.point(f"{operation.name}, {error} at {step}", said)


def _chosen(steps, most, error):
    if most is None and error in TURNS:
        return steps[TURNS[error] :: 2]
    return tracing.sample(steps, most)


def _registry(world, found, scale, fault):
    error, wanted = fault
    cases = [
        (way, step)
        for way in scale.some([replace(way, module=PLAIN) for way in served_crash.WAYS])
        for step in _chosen(
            served_crash.dry_run(world, way, wanted, tracing.of_files),
            scale.most(SERVED_SHORT),
            error,
        )
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        tried = pool.map(lambda case: _served_failing(world, *case, error), cases)
        for (way, step), (struck, said) in zip(cases, tried, strict=True):
            found.point(f"serve, {way.name}, {error} at {step}", said, struck=struck)


def _failing(world, operation, step, error):
    start = getattr(world, operation.start)
    root = world.fresh(start)
    log = Path(f"{root}.trace")
    ended = run(operation.words, root, tracing.strace(log, inject=tracing.failing(step, error)))
    failed = tracing.injected(log)
    call = failed[0] if failed else None
    found = []
    done = ended.status == operation.status
    if not done:
        # Who may not write to stderr can't say why.
        found += [] if any("(2<" in line for line in failed) else ended.unclean()
    elif call is not None and not operation.looks and not _harmless(call, root):
        found.append(f"it was acknowledged all the same: {call[:200]}")
    promised = operation.promised if done else ()
    found += problems(root, start.before, promised, operation.promised, start.damaged)
    found += crash.run_again(root, start, operation)
    log.unlink()
    shutil.rmtree(root)
    return found


def _harmless(call, root):
    """Whether a failed call takes nothing from what was acknowledged.

    These are SQLite's: tidying its files, and its own sync of their folder, which Killick does not
    rely on. And those for the reserve, which is only there to be given up. All lie in the root.
    """
    if f"<{root}>" in call:
        return call.split()[1].startswith("fdatasync")
    return re.search(rf"{re.escape(str(root))}/[^/>\"]+[>\"]", call) is not None


def _served_failing(world, way, step, error):
    """Fail one step of a running registry; it has to go on, without being started again."""
    root = world.fresh(world.served)
    log = Path(f"{root}.trace")
    found, promised = [], []
    with served_crash.traced(root, way, tracing.failing(step, error)) as server:
        if server.port is None:  # it could not open its store, and says so
            found += _refused_to_start(server)
        else:
            calls = Calls(server.port)
            found += _refused(server, calls, way.script, log)
            promised = calls.promised
        if "Traceback" in server.said:
            found.append(f"a traceback: {server.said[-400:]}")
    found += problems(root, world.served.before, promised)
    struck = any(str(root) in line for line in tracing.injected(log)[:1])
    log.unlink()
    shutil.rmtree(root)
    # The server also writes to wake its own threads, which no disk refuses.
    return struck, found if struck else []


def _refused(server, calls, script, log):
    """Yield what is wrong with how a server takes an error, and with how it goes on."""
    try:
        script(calls)
    except NotAcknowledged as refused:
        if (
            refused.status is None and not calls.promised and server.ended
        ):  # its worker could not open the store
            yield from _refused_to_start(server)
            return
        yield from _unclean(refused)
    yield from _going_on(calls, script, log)


def _refused_to_start(server):
    server.stop()
    if "killick: " not in server.said:
        yield f"it did not start, and did not say why: {server.said[-300:]!r}"


def _unclean(refused):
    if refused.status is None:
        yield f"the call was broken off: {refused}"
    elif b'"errors"' not in refused.body or b"mistake" in refused.body:
        yield f"no clean answer: {refused}"


def _going_on(calls, script, log):
    """Yield what is wrong when all is tried once more, on the same running server.

    strace makes the Nth call of each thread fail. Where another one came so far only now, it was
    struck again, and all is tried again.
    """
    while True:
        struck = len(tracing.injected(log))
        try:
            script(calls)
        except NotAcknowledged as error:
            if len(tracing.injected(log)) > struck:
                continue
            yield f"the running server does not work again: {error}"
        return
