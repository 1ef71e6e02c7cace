"""Killed, cut off, lied to and filled up: is everything that was acknowledged still there?

    make faults                       the short form: samples, some minutes
    make faults LONG=1                every point
    python -m faults --only crash     one kind of test (see --list)

Prints one table, and writes faults.json. The status is 0 if nothing was lost, 1 if something was.
"""

import argparse
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from faults import machine
from faults.chores import chores
from faults.clients import clients
from faults.clocks import clocks
from faults.contest import contest
from faults.crash import crash_points
from faults.cuts import power_cuts
from faults.damage import damage
from faults.errors import disk_errors
from faults.leases import leases
from faults.liars import liars
from faults.order import order
from faults.races import races
from faults.restart import restart
from faults.results import Rows, row, skipped, table
from faults.seeding import seeded
from faults.served_crash import served_crash_points
from faults.soak import soak
from faults.strikes import strikes
from faults.tracing import spread
from faults.world import World

KINDS = {
    "order": order,
    "crash": crash_points,
    "serve": served_crash_points,
    "chores": chores,
    "strikes": strikes,
    "cuts": power_cuts,
    "damage": damage,
    "leases": leases,
    "races": races,
    "contest": contest,
    "clients": clients,
    "soak": soak,
    "restart": restart,
    "clocks": clocks,
    "liars": liars,
    "seeds": seeded,
    "errors": disk_errors,
}


@dataclass(frozen=True)
class Scale:
    """How much to try: `share` of the short form's points, or (`long`) all there are."""

    long: bool = False
    share: float = 1.0
    operation: str = ""

    def most(self, short):
        return None if self.long else max(2, round(short * self.share))

    def some(self, items):
        """Return all of the items; fewer where only a part of the short form is wanted."""
        if self.operation:
            return [item for item in items if self.operation in (item, getattr(item, "name", ""))]
        return spread(items, None if self.share >= 1 else max(1, round(len(items) * self.share)))


def main():
    options = _options()
    scale = Scale(options.long, options.share, options.operation)
    rows = Rows(options.out, long=options.long)
    with World() as world:
        for kind in options.only or KINDS:
            _try(kind, world, rows, scale)
    print(f"\n{table(rows)}\n")
    rows.write()
    lost = [problem for row in rows for problem in row.lost]
    for problem in lost[: options.show]:
        print(f"LOST {problem}")
    return 1 if lost else 0


def _try(kind, world, rows, scale):
    print(f"{kind} …", file=sys.stderr, flush=True)
    try:
        KINDS[kind](world, rows, scale)
    except machine.Lacking as lacking:
        if machine.REQUIRED:
            raise
        rows.append(skipped(kind, str(lacking)))
    except Exception as error:
        traceback.print_exc()
        with row(kind, rows) as found:
            found.point("the test itself", [f"it broke down: {error!r}"])


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=KINDS, help="may be repeated")
    parser.add_argument("--long", action="store_true", help="every point")
    parser.add_argument("--share", type=float, default=1.0, help="of the short form's points")
    parser.add_argument("--operation", default="", help="only this command, as the table has it")
    parser.add_argument("--show", type=int, default=40, help="how many losses to print")
    parser.add_argument("--out", type=Path, default=Path("faults.json"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
