"""The lying registry: every behaviour of the table, met by every verb; and the memory it takes."""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from faults.processes import environment
from faults.results import row
from hostile.behaviours import BEHAVIOURS, VERBS, Stage, problems
from hostile.liar import Liar
from lying import Reply, Site

WORKERS = 8
"""Most of the time goes by in waiting for those who are slow."""

BULKY = ("endless", "a bomb", "document", "WWW-Authenticate: 1 MiB", "a token of", "long")
MOST_MEMORY = 64 * 1024
"""KiB that a pull may take more than one from an honest registry."""


def liars(world, rows, scale):
    """Meet each behaviour by each verb."""
    names = scale.some(list(BEHAVIOURS))
    for verb in VERBS:
        with row(f"lying registry: {verb}", rows) as found:
            with ThreadPoolExecutor(WORKERS) as pool:
                for name, said in zip(names, pool.map(partial(_met, verb), names), strict=True):
                    found.point(name, said)
    with row("lying registry: memory", rows) as found:
        honest = _taken(world, None)
        bulky = [name for name in names if name.startswith(BULKY)]
        for name in bulky:
            took = _taken(world, name) - honest
            found.point(name, [f"{took} KiB were taken"] if took > MOST_MEMORY else [])
        found.note = "pulls in processes of their own"


def _met(verb, name):
    with tempfile.TemporaryDirectory() as folder:
        return list(problems(name, verb, Path(folder)))


def _taken(world, name):
    """Return the memory that a process takes which pulls from a liar, in KiB."""
    liar = Liar()
    with Site(liar) as site, Site(lambda seen: Reply(200, b"trapped")) as trap:
        if name is not None:
            BEHAVIOURS[name](Stage(liar, site, trap))
        ended = subprocess.run(
            [sys.executable, "-m", "hostile.taking", site.domain],
            env=environment(world.folder / "store"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return int(ended.stdout)
