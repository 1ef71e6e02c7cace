"""The order of a process's calls: what would a power cut take at the moment of acknowledgement?

A disk that loses power keeps what was synced. So from a trace alone it can be said what is certain
to be there: a file's bytes since its fsync, a name since the fsync of its directory. Three things
have to hold whenever something is acknowledged, or becomes a row of the database:

    bytes are synced before the file gets its final name;
    that name is synced before the database is written to again;
    the database's log is synced before anybody hears of it.
"""

import re
import shutil
from pathlib import Path

from faults import tracing
from faults.machine import need
from faults.operations import operations
from faults.processes import Served, run
from faults.pushing import SCRIPTS
from faults.results import row
from faults.served_crash import calling

CALLS = (*tracing.DURABLE, "writev", "sendto")

_BEGUN = re.compile(r"(\d+) +(\w+)\((.*?)(?: <unfinished \.\.\.>|\) += (-?\d+).*)$")
_ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)")
_OPEN = re.compile(r"\d+<([^>]*)>")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ANSWER = re.compile(r'"HTTP/1\.1 20')


_NO_PROMISE = {("reserve",), ("chores",), ("access",)}
"""What nobody was told is there: room to be given up, when chores last ran, who called."""


class Disk:
    """What of the folder `root` is not certain to be on the disk, as a trace is gone through."""

    def __init__(self, root):
        self._root = str(root)
        self._unsynced: dict[str, int] = {}  # files with bytes, directories with names: since when
        self._begun: dict[str, tuple[str, int]] = {}
        self._clock = 0
        self.problems: list[str] = []
        self.acknowledgements = 0

    def line(self, text):
        self._clock += 1
        if ended := _ENDED.match(text):
            thread, call, result = ended.groups()
            if thread in self._begun:
                rest, since = self._begun.pop(thread)
                self._done(call, rest, int(result), since)
        elif begun := _BEGUN.match(text):
            thread, call, rest, result = begun.groups()
            if call in tracing.SYNCS and result is None:
                self._begun[thread] = rest, self._clock
            else:  # what changes something counts from when it begins
                self._done(call, rest, int(result or 0), self._clock)

    def _done(self, call, rest, result, since):
        if result < 0:
            return
        opened = _OPEN.match(rest)
        if call in tracing.SYNCS and opened:
            if self._unsynced.get(opened[1], since + 1) <= since:
                del self._unsynced[opened[1]]
        elif call in tracing.NAMES:
            self._named(call, _PATH.findall(rest))
        elif opened and opened[1].startswith(self._root + "/"):
            if Path(opened[1]).relative_to(self._root).parts[:1] not in _NO_PROMISE:
                self._written(opened[1], call)
        elif _ANSWER.search(rest) or (call == "write" and self._says_something(rest)):
            self.acknowledged()

    def _written(self, path, call):
        if path.endswith("-shm") or call == "fallocate":
            return  # made anew after a crash; room, and no content
        if path.endswith("-wal"):
            for directory in self._loose_names("blobs"):
                self.problems.append(f"a row was written before the names in {directory} were safe")
        self._unsynced[path] = self._clock

    def _named(self, call, paths):
        target = Path(paths[-1])
        if not str(target).startswith(self._root) or call.startswith("unlink"):
            return
        if call.startswith("rename") and "/blobs/" in str(target) and paths[0] in self._unsynced:
            self.problems.append(f"{target.name[:12]}… got its name before its bytes were safe")
        self._unsynced.pop(paths[0], None)
        if target.relative_to(self._root).parts[:1] not in _NO_PROMISE:
            self._unsynced[str(target.parent)] = self._clock

    def acknowledged(self):
        """Note what is not safe at a moment at which somebody is told yes."""
        self.acknowledgements += 1
        for path in self._unsynced:
            if path.endswith("-wal"):
                self.problems.append("acknowledged before the database's log was safe")
        for directory in self._loose_names(""):
            self.problems.append(f"acknowledged before the names in {directory} were safe")

    def _loose_names(self, below):
        start = f"{self._root}/{below}" if below else ""
        return [
            path.removeprefix(self._root)
            for path in self._unsynced
            if path.startswith(start) and Path(path).is_dir()
        ]

    @staticmethod
    def _says_something(rest):
        return rest.startswith("1<") and ', "", 0' not in rest


def order(world, rows, scale):
    """Look at the calls of every operation, in their order."""
    need("strace")
    with row("order of writes and syncs: commands", rows) as found:
        for operation in scale.some(operations(world)):
            root = world.fresh(getattr(world, operation.start))
            log = Path(f"{root}.trace")
            run(operation.words, root, tracing.strace(log, CALLS))
            found.point(operation.name, _look(root, log, at_end=True))
    with row("order of writes and syncs: serve", rows) as found:
        for name, script in scale.some(list(SCRIPTS.items())):
            root = world.fresh(world.served)
            log = Path(f"{root}.trace")
            with Served(root, tracing.strace(log, CALLS)) as server:
                calling(server, script)
            found.point(f"serve, {name}", _look(root, log, at_end=False))


def _look(root, log, *, at_end):
    """Return what was out of order; `at_end` says that the end itself acknowledges."""
    disk = Disk(root)
    for line in log.read_text(errors="replace").splitlines():
        disk.line(line)
    if at_end:
        disk.acknowledged()
    elif not disk.acknowledgements:
        disk.problems.append("no answer was seen at all")
    shutil.rmtree(root)
    log.unlink()
    return list(dict.fromkeys(disk.problems))
