"""Power cuts, at random moments under load and when idle, on three file systems."""

import random
import tempfile
import time
from pathlib import Path

from faults.filesystems import KINDS, Disk, reflinking
from faults.machine import need
from faults.results import row
from faults.working import Workers

SHORT = 7
LONG = 40
WORKERS = 2
LEASE = 2.0
"""Seconds; so short that garbage is collected all the time."""

_APART = (0.2, 1.0)


def power_cuts(world, rows, scale):
    """Cut the power of each file system, and look at what is left."""
    need("losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", root=True)
    with (
        tempfile.TemporaryDirectory(prefix="killick-power-") as folder,
        reflinking(Path(folder)) as outer,
    ):
        for kind in scale.some(list(KINDS)):
            with row(f"power cut: {kind}", rows) as found:
                _cut(outer, kind, scale.most(SHORT) or LONG, found)


def _cut(outer, kind, count, found):
    disk = Disk(outer, kind)
    folder = Path(tempfile.mkdtemp(dir=outer.parent, prefix=f"{kind}-journals-"))
    workers = Workers(disk.place / "store", folder, WORKERS, LEASE)
    cuts = []
    try:
        workers.wait_for_answers()
        for _ in range(count - 1):
            time.sleep(random.uniform(*_APART))
            # What is in the journal now was acknowledged before the cut began.
            cuts.append(("busy", workers.acknowledged(), disk.cut()))
        idle = list(workers.stop())
        cuts.append(("idle", workers.acknowledged(), disk.cut()))
    finally:
        workers.kill()
        disk.unplug()
    found.note = f"{sum(len(acknowledged) for _, acknowledged, _ in cuts)} answers held to"
    for number, (when, acknowledged, image) in enumerate(cuts):
        with disk.revived(image) as place:
            said = list(acknowledged.problems(place / "store"))
        found.point(f"{kind}, cut {number}, {when}", said + (idle if when == "idle" else []))
