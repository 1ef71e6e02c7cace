"""A process that works on a store, and writes down each answer that it got.

    python -m faults.worker STORE JOURNAL NUMBER [LEASE]

It pulls, tags, pushes, deletes tags and collects garbage, as dice have it, until it is killed or
its input ends. The journal is what others may hold the store to: one JSON object a line, written
when the answer is there, never before.
"""

import io
import json
import random
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from images import image
from killick.errors import Conflict, Incomplete, KillickError, NotFound, TagUnknown
from killick.manifest import Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.repository import BLOB_TYPE, Cause
from killick.store import DEFAULT_LEASE, Store
from killick.transfer import copy

REPOSITORIES = ("work/a", "work/b")
TAGS = ("1", "2", "shared")
_LAYER = 40_000


class Worker:
    """Worker `number` on a store whose leases last `lease` seconds; `journal` is an open file."""

    def __init__(self, store, journal, number, lease):
        self.store = store
        self.number = number
        self._lease = lease
        self._journal = journal
        self._dice = random.Random(number)
        self._images = MemoryRegistry().repository("source")
        self._made = []

    def turn(self):
        """Do one thing. When its first promise is over, what was brought may be gone."""
        deeds = (self.pull, self.pull, self.push, self.tag, self.swap, self.untag, self.collect)
        began = time.monotonic()
        try:
            self._dice.choice(deeds)()
        except (NotFound, Incomplete):
            took = time.monotonic() - began
            if took < self._lease:
                raise
            self._note("overdue", took=took)

    def pull(self):
        """Bring an image, at times one that was here before, and point a tag at it."""
        repository = self._repository()
        if self._made and self._dice.random() < 0.5:
            d = self._dice.choice(self._made)
        else:
            files = {"app": self._dice.randbytes(_LAYER)}
            d = image(self._images, files, Platform.host(), layers=2)
            self._made.append(d)
        copy(self._images, repository, d)
        self._moved(repository, Tag(self._dice.choice(TAGS)), d, "pulled")

    def push(self):
        """Take a blob through an upload session, in pieces; nothing needs it."""
        data = self._dice.randbytes(_LAYER)
        repository = self._repository()
        upload = repository.begin()
        for start in range(0, len(data), _LAYER // 3):
            upload.write(data[start : start + _LAYER // 3])
        d = upload.commit()
        self._note("blob", repository=repository.name, digest=str(d.digest))

    def tag(self):
        """Point a tag at what another one points to."""
        repository = self._repository()
        try:
            d = repository.resolve(Tag(self._dice.choice(TAGS)))
            self._moved(repository, Tag(self._dice.choice(TAGS)), d, "tagged")
        except NotFound:
            return  # there is none yet, or somebody was faster

    def swap(self):
        """Move the tag that all fight for, if it is still where it was seen."""
        repository = self.store.repository(REPOSITORIES[0])
        d = image(self._images, {"n": self._dice.randbytes(20)}, Platform.host())
        copy(self._images, repository, d)
        try:
            before = repository.resolve(Tag("shared")).digest
        except TagUnknown:
            before = None
        try:
            move = repository.move(
                Tag("shared"), d, Cause("pushed", f"worker-{self.number}"), expected=before
            )
        except Conflict:
            return
        self._note_move(repository, move, expected=str(before) if before else None)

    def untag(self):
        """Remove a tag."""
        repository = self._repository()
        try:
            move = repository.move(Tag("2"), None, Cause("deleted", f"worker-{self.number}"))
        except TagUnknown:
            return
        self._note_move(repository, move)

    def collect(self):
        """Leave some garbage, and collect what there is."""
        data = self._dice.randbytes(1000)
        self._repository().put(Descriptor.of(BLOB_TYPE, data), io.BytesIO(data))
        self.store.collect()

    def _repository(self):
        return self.store.repository(self._dice.choice(REPOSITORIES))

    def _moved(self, repository, tag, d, kind):
        move = repository.move(tag, d, Cause(kind, f"worker-{self.number}"))
        if move is not None:
            self._note_move(repository, move)

    def _note_move(self, repository, move, **more):
        to = str(move.to.digest) if move.to else None
        more |= {"sequence": move.sequence, "tag": str(move.tag), "to": to}
        self._note("move", repository=repository.name, actor=move.cause.actor, **more)

    def _note(self, what, **more):
        self._journal.write(json.dumps({"what": what, "at": time.monotonic(), **more}) + "\n")
        self._journal.flush()


def main():
    root, journal, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    lease = float(sys.argv[4]) if len(sys.argv) > 4 else DEFAULT_LEASE.total_seconds()
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    with journal.open("a") as out, Store(root, lease=timedelta(seconds=lease)) as store:
        worker = Worker(store, out, number, lease)
        while not stop.is_set():
            worker.turn()


if __name__ == "__main__":
    try:
        main()
    except KillickError as error:
        sys.exit(f"{type(error).__name__}: {error.message}")
