"""One run of a command: how long, how much processor time, how much memory at most."""

import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

LIMIT = 600  # seconds; nothing here takes a tenth of it unless it hangs


class RunFailedError(Exception):
    """A command that was to be measured did not do its work."""


@dataclass(frozen=True)
class Run:
    wall: float  # seconds, with the sync
    cpu: float | None  # seconds, user and system, of the command and what it waited for
    memory: float | None  # MiB, the largest process; the kernel never says less than our own 24


def timed(command: list[str], env: dict[str, str] | None = None, sync: Path | None = None) -> Run:
    """Run it; `sync` names the folder whose bytes have to be on the disk before the clock stops."""
    full = {**os.environ, **(env or {})}
    start = time.perf_counter()
    with subprocess.Popen(
        command, env=full, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=-1
    ) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RunFailedError(f"{' '.join(command)}: {errors.decode(errors='replace')[-500:]}")
    if sync is not None:
        subprocess.run(["sync", "-f", str(sync)], check=True, timeout=LIMIT)
    wall = time.perf_counter() - start
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def quiet(command: list[str], env: dict[str, str] | None = None) -> str:
    """Run what is not measured, and return what it printed."""
    done = subprocess.run(
        command, env={**os.environ, **(env or {})}, capture_output=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise RunFailedError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode()


def settle() -> None:
    """Write out what earlier runs left, so that the next one does not pay for it."""
    os.sync()


def summary(runs: Iterable[Run]) -> dict:
    """Medians, and the runs themselves for whoever wants to see the spread."""
    runs = list(runs)
    cpu = [run.cpu for run in runs if run.cpu is not None]
    memory = [run.memory for run in runs if run.memory is not None]
    return {
        "wall": median(run.wall for run in runs),
        "cpu": median(cpu) if cpu else None,
        "memory": max(memory, default=None),
        "runs": [asdict(run) for run in runs],
    }
