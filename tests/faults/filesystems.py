"""File systems whose power can be cut.

A file system on a loop device with direct I/O, in a file of an XFS that can share blocks. A copy of
that file by reference, taken at any moment, is what a disk that loses power keeps if it keeps each
write that was given to it, in order. (It does not tear sectors.)
"""

import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

OUTER_MIB = 4096
INNER_MIB = 320
KINDS = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-b", "4096"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-s", "size=4096"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
_MOUNT_OPTIONS = {"ext4": "rw", "xfs": "rw,nouuid", "btrfs": "rw"}
_TRIES = 50


@contextmanager
def reflinking(folder):
    """Mount an XFS that can share blocks, and yield where."""
    image, place = folder / "outer.img", folder / "outer"
    _blank(image, OUTER_MIB)
    _call("mkfs.xfs", "-q", "-f", "-m", "reflink=1", image)
    with _loop(image) as device, _mounted(device, place, "xfs"):
        yield place


class Disk:
    """One disk with a file system of a kind, in `outer`; mounted at `place` until `unplug`."""

    def __init__(self, outer, kind):
        self.kind = kind
        self.place = outer.parent / f"{kind}-mounted"
        self._image = outer / f"{kind}.img"
        self._cuts = 0
        _blank(self._image, INNER_MIB)
        _call(*KINDS[kind], self._image)
        self._device = _attach(self._image)
        _mount(self._device, self.place, kind)

    def cut(self):
        """Return the image of what the disk holds at this moment."""
        self._cuts += 1
        image = self._image.with_name(f"{self.kind}-cut-{self._cuts}.img")
        _call("cp", "--reflink=always", self._image, image)
        return image

    def unplug(self):
        """Let go of the file system; its images stay."""
        _unmount(self.place)
        _detach(self._device)
        # Two btrfs with one identity at a time are one too many for the kernel.
        if self.kind == "btrfs":
            subprocess.run(["btrfs", "device", "scan", "--forget"], check=False)
        self._image.unlink()

    @contextmanager
    def revived(self, image):
        """Mount what a cut left, after `unplug`, and yield where; the image goes."""
        place = self.place.with_name(f"{self.kind}-revived")
        try:
            with _loop(image) as device, _mounted(device, place, self.kind):
                yield place
        finally:
            image.unlink()


def _blank(path, mib):
    with path.open("wb") as file:
        file.truncate(mib * 1024 * 1024)


@contextmanager
def _loop(image):
    device = _attach(image)
    try:
        yield device
    finally:
        _detach(device)


@contextmanager
def _mounted(device, place, kind):
    _mount(device, place, kind)
    try:
        yield
    finally:
        _unmount(place)


def _attach(image):
    return _call("losetup", "--find", "--show", "--direct-io=on", image)


def _detach(device):
    _call("losetup", "--detach", device)


def _mount(device, place, kind):
    place.mkdir(exist_ok=True)
    _call("mount", "-t", kind, "-o", _MOUNT_OPTIONS[kind], device, place)


def _unmount(place):
    """Unmount; whoever was killed there may take a moment to let go."""
    for _ in range(_TRIES):
        if subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    _call("umount", place)


def _call(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()
