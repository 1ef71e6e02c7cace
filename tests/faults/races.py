"""Several processes at once on one store: pulling, pushing, tagging, deleting, collecting."""

import shutil
import tempfile
import time
from pathlib import Path

from faults.results import row
from faults.working import Workers

SECONDS = 6.0
LONG_SECONDS = 60.0
CASES = ((2, 0.0), (2, 2.0), (8, 2.0))
"""How many processes, and the lease in seconds. With none, all but what tags name is garbage."""


def races(world, rows, scale):
    """Let processes race, and look at what is left and at what each was told."""
    for count, lease in CASES:
        with row(f"races: {count} processes, lease {lease:g} s", rows) as found:
            folder = Path(tempfile.mkdtemp(dir=world.folder))
            workers = Workers(folder / "store", folder, count, lease)
            try:
                workers.wait_for_answers()
                time.sleep(LONG_SECONDS if scale.long else SECONDS * scale.share)
                said = list(workers.stop())
            finally:
                workers.kill()
            acknowledged = workers.acknowledged()
            said += acknowledged.problems(folder / "store")
            if lease and acknowledged.overdue:
                found.note = f"{acknowledged.overdue} took longer than a lease, and had to give up"
            for _ in range(len(acknowledged) - 1):
                found.point("", ())
            found.point(f"{count} processes", said)
            shutil.rmtree(folder)
