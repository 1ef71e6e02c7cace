"""Workers in processes of their own, and what their journals hold a store to."""

import json
import subprocess
import sys
import time

from faults.processes import environment
from faults.promises import damage, standing
from killick.digest import Digest
from killick.errors import KillickError
from killick.store import Store

SLACK = 2
"""A lease is only held to for 1/SLACK of its time: what is noted was promised a little earlier."""


class Workers:
    """Processes that work on the store `root`; their journals are in `folder`, elsewhere."""

    def __init__(self, root, folder, count, lease):
        self._lease = lease
        self.journals = [folder / f"journal-{number}" for number in range(count)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "faults.worker", root, journal, str(number), str(lease)],
                env=environment(root),
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number, journal in enumerate(self.journals)
        ]

    def wait_for_answers(self):
        """Wait until each has got its first answer, or has failed."""
        while any(
            process.poll() is None and not (journal.exists() and journal.stat().st_size)
            for process, journal in zip(self.processes, self.journals, strict=True)
        ):
            time.sleep(0.01)

    def stop(self):
        """Let all end what they are at; yield, in words, what went wrong for them."""
        for process in self.processes:
            process.stdin.close()
        for number, process in enumerate(self.processes):
            said = process.stderr.read()
            if process.wait():
                yield f"worker {number} failed: {said.strip()[-400:]}"
            process.stderr.close()

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stderr.close()

    def acknowledged(self):
        """Return what was acknowledged until now."""
        return Acknowledged.read(self.journals, self._lease)


class Acknowledged:
    """What journals say: entries of ledgers, and blobs whose lease still runs.

    `overdue` is how many deeds failed that took longer than what they stood on was promised for.
    """

    def __init__(self, moves, blobs, overdue):
        self.moves = moves
        self.blobs = blobs
        self.overdue = overdue

    @classmethod
    def read(cls, journals, lease):
        notes = [
            json.loads(line)
            for journal in journals
            if journal.exists()
            for line in journal.read_text().splitlines()
        ]
        since = time.monotonic() - lease / SLACK
        moves = [note for note in notes if note["what"] == "move"]
        blobs = [note for note in notes if note["what"] == "blob" and note["at"] > since]
        return cls(moves, blobs, sum(note["what"] == "overdue" for note in notes))

    def __len__(self):
        return len(self.moves) + len(self.blobs)

    def problems(self, root):
        """Yield, in words, what of this a store has lost, and what else is wrong with it."""
        try:
            with Store(root) as store:
                yield from damage(store)
                yield from self._lost_moves(store)
                for note in self.blobs:
                    try:
                        store.repository(note["repository"]).find(Digest.parse(note["digest"]))
                    except KillickError as error:
                        yield f"lost an acknowledged blob: {error.message}"
                store.collect()
                yield from damage(store)
        except KillickError as error:
            yield f"the store can't be used: {error.message}"

    def _lost_moves(self, store):
        for name in {note["repository"] for note in self.moves}:
            repository = store.repository(name)
            entries = {
                move.sequence: (
                    str(move.tag),
                    str(move.to.digest) if move.to else None,
                    move.cause.actor,
                )
                for move in repository.history()
            }
            noted = [note for note in self.moves if note["repository"] == name]
            for note in noted:
                if entries.get(note["sequence"]) != (note["tag"], note["to"], note["actor"]):
                    yield f"{name}: the ledger lost entry {note['sequence']}, {note['tag']}"
            for digest in {note["to"] for note in noted if note["to"]}:
                if standing(repository, digest) is None:
                    yield f"{name}: lost the image {digest}"
            yield from _torn(repository, noted)


def _torn(repository, noted):
    """Yield where the entries of a tag don't follow from each other, or a swap saw another one."""
    last = {}
    previous = {}
    moves = list(repository.history())[::-1]
    for move in moves:
        tag, before = str(move.tag), str(move.previous) if move.previous else None
        if last.get(tag) != before:
            yield f"{repository.name}: entry {move.sequence} does not follow from the one before"
        last[tag] = str(move.to.digest) if move.to else None
        previous[move.sequence] = before
    if [move.sequence for move in moves] != list(range(1, len(moves) + 1)):
        yield f"{repository.name}: the ledger has gaps"
    sequences = [note["sequence"] for note in noted]
    if len(sequences) != len(set(sequences)):
        yield f"{repository.name}: two answers name one entry of the ledger"
    for note in noted:
        if "expected" in note and previous.get(note["sequence"]) != note["expected"]:
            yield f"{repository.name}: entry {note['sequence']} swapped what was not expected"
