"""Slow and vanishing callers of a `killick serve`, while the others go on.

They stop in the middle of a body, close at any byte, never read what they asked for, or read it in
drops. Nobody may see a part of what they sent, the others get on, and nothing stays of them: no
open file, and, once uploads expire and leases are over, no upload and no content.
"""

import os
import random
import shutil
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults.asking import CONFIG, Caller, manifest
from faults.chores import ask_for
from faults.machine import need
from faults.processes import Served
from faults.promises import damage
from faults.results import row
from killick.digest import Digest
from killick.store import Store

CALLERS = 24
HONEST = 2
TURNS = 8
LONG_TURNS = 80
NAME = "vanishing/app"
PATIENCE = 300
FEW = 8
"""Open files that may come and go with what a worker happens to be at."""

SETTINGS = {
    "workers": 2,
    "require_complete": "true",
    "limits.idle": "1s",
    "limits.headers": "2s",
    "limits.expiry": "1m",
    "limits.threads": 4,
    "chores.lease": "1s",
    "chores.collect": "0s",
}
_BIG = random.Random(1).randbytes(3_000_000)


def clients(world, rows, scale):
    """Let callers vanish twice over, and compare what is left of them."""
    need("pgrep")
    turns = LONG_TURNS if scale.long else TURNS
    root = Path(tempfile.mkdtemp(dir=world.folder)) / "store"
    with row("callers that stop, vanish and dawdle", rows) as found:
        with Served(root, settings=SETTINGS) as server:
            crowd = Crowd(server.port)
            crowd.anchor()
            crowd.vanish(turns // 2)
            before = _settled_files(server, None)
            crowd.vanish(turns - turns // 2, 1000)
            after = _settled_files(server, before)
            for who, said in crowd.found:
                found.point(who, said)
            found.point("open files", _more(before, after))
            found.point("what they sent", list(crowd.in_part()))
            found.point("what is kept", list(_cleared(root, server.port, crowd)))
            found.point("what the server said", server.said.splitlines())
        with Store(root) as store:
            found.point("verify", list(damage(store)))
        found.note = (
            f"{crowd.abandoned} requests abandoned, {crowd.images} images pushed meanwhile,"
            f" {sum(after)} files open after them, {sum(before)} before"
        )
    shutil.rmtree(root.parent)


class Crowd:
    """Callers who vanish, and honest ones beside them."""

    def __init__(self, port):
        self._port = port
        self._sent = {}
        self._lock = threading.Lock()
        self.found = []
        self.abandoned = 0
        self.images = 0

    def anchor(self):
        """Push an image with a large layer, which stays."""
        caller = Caller(self._port)
        for data in (CONFIG, _BIG):
            caller.upload(NAME, data)
        caller.put_manifest(NAME, "anchor", manifest([_BIG], "anchor"))
        caller.close()

    def vanish(self, turns, first=0):
        """Let all vanish `turns` times, while the honest ones push until they are done."""
        done = threading.Event()
        honest = [threading.Thread(target=self._push, args=(n, first, done)) for n in range(HONEST)]
        for thread in honest:
            thread.start()
        with ThreadPoolExecutor(CALLERS) as pool:
            self.found += pool.map(lambda who: self._vanish(who + first, turns), range(CALLERS))
        done.set()
        for thread in honest:
            thread.join()

    def in_part(self):
        """Yield which of what was sent in part is seen as a whole, and is none."""
        caller = Caller(self._port)
        for path, data in self._sent.items():
            got = caller("GET", path)
            if got.status == 200 and got.body != data:
                yield f"{path}: {len(got.body)} of {len(data)} bytes are shown"
            elif got.status not in (200, 404):
                yield f"{path}: {got.status}"
        caller.close()

    def _push(self, number, first, done):
        caller, turn = Caller(self._port), first
        while not done.is_set():
            turn += 1
            data = random.Random(f"{number}.{turn}").randbytes(50_000)
            taken = caller.upload(NAME, data)
            answer = caller.put_manifest(NAME, f"h{number}-{turn}", manifest([data], ""))
            late = answer.told > taken.asked + 1
            got = caller("GET", f"/v2/{NAME}/blobs/{Digest.of(data)}")
            said = []
            if answer.status != 201 and not late:
                said.append(f"refused: {answer.status} {answer.body[:200]!r}")
            if answer.status == 201 and got.body != data:
                said.append(f"what was pushed can't be read: {got.status}")
            with self._lock:
                self.images += answer.status == 201
                self.found.append((f"honest {number}, image {turn}", said))
        caller.close()

    def _vanish(self, who, turns):
        dice = random.Random(who)
        deeds = (self._stop, self._close, self._manifest, self._unread, self._drops, self._headers)
        said = []
        for _ in range(turns):
            try:
                said += dice.choice(deeds)(dice) or []
            except (ConnectionError, TimeoutError) as error:
                said.append(f"it was not served at all: {error!r}")
            with self._lock:
                self.abandoned += 1
        return f"caller {who}", said

    def _stop(self, dice):
        """Send a part of a body and stop; the server has to be the one that ends it."""
        with self._sending(dice) as (connection, data, cut):
            connection.sendall(data[:cut])
            connection.settimeout(PATIENCE)
            try:
                answer = connection.recv(4096)
            except ConnectionError:
                return None
            if answer and b" 408 " not in answer.split(b"\r\n")[0]:
                return [f"a body that stopped was answered by {answer[:60]!r}"]
        return None

    def _close(self, dice):
        """Close at some byte of a body."""
        with self._sending(dice) as (connection, data, cut):
            connection.sendall(data[:cut])

    def _manifest(self, dice):
        """Close at some byte of a manifest, which has a tag."""
        document = manifest([_BIG], str(dice.random()))
        self._note(f"/v2/{NAME}/manifests/{Digest.of(document)}", document)
        head = (
            f"PUT /v2/{NAME}/manifests/vanished HTTP/1.1\r\nHost: here\r\n"
            "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
            f"Content-Length: {len(document)}\r\n\r\n"
        )
        with self._connected() as connection:
            connection.sendall(head.encode() + document[: dice.randrange(len(document))])

    def _unread(self, dice):
        """Ask for a large blob and go away."""
        with self._connected() as connection:
            connection.sendall(self._get())
            connection.recv(dice.randrange(1, 10_000))

    def _drops(self, dice):
        """Read a large blob in drops for some time, and go away."""
        with self._connected() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(self._get())
            for _ in range(dice.randrange(1, 20)):
                connection.recv(512)
                time.sleep(0.05)

    def _headers(self, dice):
        """Send a part of the headers and wait until the server closes, or close."""
        head = self._get()
        with self._connected() as connection:
            connection.sendall(head[: dice.randrange(1, len(head) - 4)])
            if dice.random() < 0.5:
                connection.settimeout(PATIENCE)
                connection.recv(4096)

    def _sending(self, dice):
        return _Body(self, dice)

    def _get(self):
        return f"GET /v2/{NAME}/blobs/{Digest.of(_BIG)} HTTP/1.1\r\nHost: here\r\n\r\n".encode()

    def _note(self, path, data):
        with self._lock:
            self._sent[path] = data

    def _connected(self):
        return socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)


class _Body:
    """A connection on which the headers of an upload are sent; the body, and how much of it."""

    def __init__(self, crowd, dice):
        self._crowd = crowd
        self._dice = dice

    def __enter__(self):
        data = self._dice.randbytes(self._dice.choice((1000, 200_000, 2_000_000)))
        self._crowd._note(f"/v2/{NAME}/blobs/{Digest.of(data)}", data)
        caller = Caller(self._crowd._port)
        location = caller("POST", f"/v2/{NAME}/blobs/uploads/").headers["Location"]
        caller.close()
        method, query = self._dice.choice((("PUT", f"?digest={Digest.of(data)}"), ("PATCH", "")))
        head = (
            f"{method} {location}{query} HTTP/1.1\r\nHost: here\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        self._connection = self._crowd._connected()
        self._connection.sendall(head.encode())
        return self._connection, data, self._dice.randrange(len(data))

    def __exit__(self, *_):
        self._connection.close()


def _settled_files(server, most):
    """Return how many files each process has open, when that does not change any more.

    If `most` is given, wait until they are about as many, for as long as there is patience.
    """
    end, last, same = time.monotonic() + PATIENCE, None, 0
    while time.monotonic() < end:
        counts = tuple(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.processes)  # noqa: PTH208
        same = same + 1 if counts == last else 0
        last = counts
        if same >= 8 and (most is None or not _more(most, counts)):
            break
        time.sleep(0.5)
    return last


def _more(before, after):
    """Return a complaint if a process has more files open than before."""
    if len(before) != len(after):
        return [f"there were {len(before)} processes, and now {len(after)}"]
    return [f"{a - b} more open files" for b, a in zip(before, after, strict=True) if a > b + FEW]


def _cleared(root, port, crowd):
    """Yield what stays although its uploads have expired and its leases are over."""
    uploads = list((root / "uploads").iterdir())
    for path in uploads:
        os.utime(path, (0, 0))  # the time to expire has gone by
    ask_for(port, "uploads")
    if left := list((root / "uploads").iterdir()):
        yield f"{len(left)} of {len(uploads)} uploads never expire"
    sent = {path.rpartition(":")[2] for path in crowd._sent}
    end = time.monotonic() + PATIENCE
    while left := {path.name for path in (root / "blobs" / "sha256").iterdir()} & sent:
        if time.monotonic() > end:
            yield f"{len(left)} pieces of content never go"
            return
        time.sleep(0.5)
        ask_for(port, "collect")
    if temporary := [path.name for path in (root / "temporary").iterdir()]:
        yield f"{len(temporary)} temporary files are left: {temporary[:3]}"
