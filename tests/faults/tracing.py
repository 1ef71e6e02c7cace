"""strace: which durable steps a process makes, and a fault at the Nth of them."""

import re
import subprocess
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

WRITES = ("write", "pwrite64", "ftruncate", "fallocate")
SYNCS = ("fsync", "fdatasync")
NAMES = (
    *("rename", "renameat", "renameat2", "link", "linkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat"),
)
DURABLE = (*WRITES, *SYNCS, *NAMES)

_TALK = re.compile(r"\d+<pipe:")
_CALL = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")


@dataclass(frozen=True)
class Step:
    """The `number`th call of `call` that one thread makes."""

    call: str
    number: int

    def __str__(self):
        return f"{self.call} {self.number}"


def strace(log: Path, calls=DURABLE, inject=None):
    """Return the words that run a command under strace; `inject` is strace's own fault.

    strace's quick way of looking only at some calls (--seccomp-bpf) loses the signals that it is
    to inject, without a word. That is why each row of kills says how many struck.
    """
    words = ["strace", "-f", "-qq", "-y", "-s", "48", "-o", str(log)]
    words += ["-e", f"trace={','.join(calls)}", "-e", "signal=none"]
    return words if inject is None else [*words, "-e", f"inject={inject}"]


@contextmanager
def looking_at(processes, log: Path, inject=None):
    """Look at processes that run already, all of their threads, and those that they start.

    Yields what waits until they are all gone.
    """
    words = strace(log, inject=inject)
    for number in processes:
        words += ["-p", str(number)]
    tracer = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        while tracer.poll() is None and not all(map(_is_traced, _threads(processes))):
            time.sleep(0.005)
        yield lambda: tracer.wait(60)
    finally:
        tracer.terminate()
        tracer.wait()


def _threads(processes):
    for number in processes:
        with suppress(OSError):  # it may have ended
            yield from Path(f"/proc/{number}/task").iterdir()


def _is_traced(task):
    try:
        return "TracerPid:\t0\n" not in (task / "status").read_text()
    except OSError:
        return True


def attached(log: Path, thread, inject=None):
    """Return the words that look at one thread of a process that runs already."""
    words = strace(log, inject=inject)
    words[words.index("-f") : words.index("-qq") + 1] = ["-q"]
    return [*words, "-p", str(thread)]


def killed(step: Step):
    return f"{step.call}:signal=KILL:when={step.number}"


def failing(step: Step, error):
    return f"{step.call}:error={error}:when={step.number}"


def calls(log: Path):
    """Yield (thread, name, the rest of the line) of each call that was begun."""
    for line in log.read_text(errors="replace").splitlines():
        if found := _CALL.match(line):
            yield found.groups()


def steps(log: Path, wanted=DURABLE):
    """Return every step that a run made. strace counts for each thread by itself."""
    counted = Counter((thread, call) for thread, call, _ in calls(log) if call in wanted)
    most: dict[str, int] = {}
    for (_, call), count in counted.items():
        most[call] = max(most.get(call, 0), count)
    return [Step(call, n) for call in wanted for n in range(1, most.get(call, 0) + 1)]


def of_files(log: Path, found):
    """Return those of a run's steps that are about files of the store, and no thread's talk.

    strace makes the Nth call of each thread fail. A disk refuses no write to a pipe, and a server
    whose processes can't talk to each other is not what is to be tried.
    """
    root = str(log).removesuffix(".trace")
    counted: Counter = Counter()
    filed, talking = set(), set()
    for thread, call, rest in calls(log):
        counted[thread, call] += 1
        step = Step(call, counted[thread, call])
        if root in rest:
            filed.add(step)
        elif _TALK.match(rest):
            talking.add(step)
    return [step for step in found if step in filed - talking]


def injected(log: Path):
    """Return the line of the call that was made to fail, if it was reached."""
    for line in log.read_text(errors="replace").splitlines():
        if "(INJECTED)" in line:
            return line
    return None


def spread(points, most):
    """Return at most `most` of the points (None: all), evenly spread, ends included."""
    if most is None or len(points) <= most:
        return list(points)
    step = (len(points) - 1) / max(1, most - 1)
    return [points[round(i * step)] for i in range(most)]


def sample(points: list[Step], most):
    """Return about `most` of the steps (None: all), of each call the first and last at least."""
    if most is None:
        return points
    calls = dict.fromkeys(step.call for step in points)
    groups = [[step for step in points if step.call == call] for call in calls]
    return [
        step
        for group in groups
        for step in spread(group, max(2, round(most * len(group) / len(points))))
    ]
