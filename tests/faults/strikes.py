"""kill -9 of a registry at random moments, while eight callers push, move and delete, and gc runs.

What the points of `serve` and `chores` can't show: many calls under way at once, in two workers.
The same registry is struck again and again, so that what one kill left behind meets the next.
"""

import random
import shutil
import time
from functools import partial

from faults.chores import pushing
from faults.processes import Served
from faults.promises import problems
from faults.pushing import push_image
from faults.results import row

SHORT = 12
LONG = 200
CALLERS = 8
IN_A_ROW = 10
"""Kills of one registry: what is in it is looked at after each, and grows."""
LATEST = 1.0
"""Seconds after which it is killed at the latest."""

_SETTINGS = {"chores.collect": "1s", "workers": "2"}
_TURNS = 3


def strikes(world, rows, scale):
    """Kill the registry at random moments, and see that all is there that was acknowledged."""
    kills = scale.most(SHORT) or LONG
    title = f"kill -9 at random: {CALLERS} callers, 2 workers, gc"
    with row(title, rows) as found:
        answers = 0
        for first in range(0, kills, IN_A_ROW):
            answers += _strike(world, found, range(first, min(first + IN_A_ROW, kills)))
        found.note = f"{answers} answers held to"


def _strike(world, found, numbers):
    """Kill one registry once for each number; return how many answers there were."""
    start = world.served
    root = world.fresh(start)
    promised, may = [], []
    for number in numbers:
        with Served(root, settings=_SETTINGS) as server:
            with pushing(server.port, CALLERS, partial(_deed, number)) as load:
                time.sleep(random.uniform(0, LATEST))
                server.kill()
            promised += load.promised
            may += load.may
        found.point(f"kill {number}", list(problems(root, start.before, promised, may)))
    shutil.rmtree(root)
    return len(promised)


def _deed(kill, calls, number, turn):
    """Push an image, in pieces every other time; each third time remove a tag of the one before."""
    name = f"kill-{kill}-{number}"
    push_image(
        calls, f"{name}.{turn}".encode(), f"{name}-{turn % _TURNS}", in_chunks=bool(turn % 2)
    )
    if turn % _TURNS == _TURNS - 1:
        calls.delete_tag(f"{name}-{(turn - 1) % _TURNS}-index")
