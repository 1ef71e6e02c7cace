"""How far a copy is: bars on a terminal, lines elsewhere, on stderr.

Bars show the blobs that move just now and the total, so that an image of 200 layers does not push
the screen away; a blob that is done leaves its bar to the next one.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from killick.cli.human import size
from killick.cli.interrupt import stops_at_once
from killick.transfer import How, Progress, Silence

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from killick.digest import Digest
    from killick.manifest import Descriptor

UPDATES_PER_SECOND = 10
MOST_FINISHED_BARS = 8
LEAST_BAR, MOST_BAR = 6, 40
BESIDE_BAR = 76
"""What the columns beside a bar take at most, and a little more: the terminal prints ^C there."""


@dataclass(frozen=True, slots=True)
class Words:
    """What happens to a blob, in docker's words."""

    start: str
    copied: str
    exists: str

    def of(self, how: How) -> str:
        """Return what to say of a blob that is done with."""
        if how == "mounted":
            return "Mounted from another repository"
        return {"copied": self.copied, "exists": self.exists}.get(how, "Stopped")


PULL = Words("Pulling", "Download complete", "Already exists")
PUSH = Words("Pushing", "Pushed", "Layer already exists")
COPY = Words("Copying", "Copied", "Already exists")


@contextmanager
def display(mode: str, words: Words) -> Iterator[Progress]:
    """Yield what to give to `copy`; within, Ctrl-C stops at once and keeps what has come.

    `mode` is `auto`, `plain` or `none`.
    """
    shown: Bars | Lines | Silence
    if mode == "none":
        shown = Silence()
    elif mode == "auto" and _is_terminal():
        shown = Bars(words)
    else:
        shown = Lines(words)
    close: Callable[[], None] = shown.close if isinstance(shown, Bars) else lambda: None
    with stops_at_once(before=close):
        try:
            yield shown
        finally:
            close()


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Lines:
    """One line when a blob begins, and one when it is done."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def start(self, d: Descriptor, offset: int, /) -> None:
        """Say that it begins, or goes on."""
        if not d.is_document:
            again = f" (goes on at {size(offset)} of {size(d.size)})" if offset else ""
            self._say(d, f"{self._words.start}{again}")

    def advance(self, d: Descriptor, count: int, /) -> None:
        """Ignore it."""

    def finish(self, d: Descriptor, how: How, /) -> None:
        """Say what became of it."""
        if not d.is_document:
            self._say(d, self._words.of(how))

    def _say(self, d: Descriptor, what: str) -> None:
        click.echo(f"{d.digest.short}: {what}", err=True)


class Bars:
    """A bar for every blob under way, some that are done, and one for the total.

    Nothing is drawn, nor is what draws it imported, before a first blob moves.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._lock = threading.Lock()
        self._rich: RichProgress | None = None
        self._tasks: dict[Digest, TaskID] = {}
        self._finished: list[TaskID] = []
        self._total: TaskID | None = None
        self._waiting: dict[Digest, int] = {}
        self._blobs = 0
        self._done = 0
        self._closed = False

    def plan(self, blobs: Sequence[Descriptor], /) -> None:
        """Take note of what will come."""
        self._waiting = {d.digest: d.size for d in blobs}
        self._blobs = len(blobs)

    def start(self, d: Descriptor, offset: int, /) -> None:
        """Draw a bar for a blob."""
        if d.is_document:
            return
        with self._lock:
            if self._closed:
                return
            rich = self._drawing()
            label = f"{d.digest.short}: {self._words.start}"
            self._tasks[d.digest] = rich.add_task(label, total=d.size, completed=offset)
            self._expect(-offset)

    def advance(self, d: Descriptor, count: int, /) -> None:
        """Let the bar of a blob, and the total, grow."""
        task = self._tasks.get(d.digest)
        if self._rich is not None and task is not None and self._total is not None:
            self._rich.advance(task, count)
            self._rich.advance(self._total, count)

    def finish(self, d: Descriptor, how: How, /) -> None:
        """Let the bar stand while there is room, and count the blob."""
        if d.is_document:
            return
        with self._lock:
            self._done += 1
            task = self._tasks.pop(d.digest, None)
            if task is None:
                self._leave_out(d)
            elif self._rich is not None and not self._closed:
                self._rich.update(task, description=f"{d.digest.short}: {self._words.of(how)}")
                self._finished.append(task)
                self._make_room()
            self._count()

    def close(self) -> None:
        """Stop drawing, and leave the terminal as it was."""
        with self._lock:
            self._closed = True
            rich, self._rich = self._rich, None
            if rich is not None:
                rich.stop()

    def _drawing(self) -> RichProgress:
        if self._rich is None:
            self._rich = _new_rich()
            self._total = self._rich.add_task("", total=sum(self._waiting.values()))
            self._count()
            self._rich.start()
        return self._rich

    def _leave_out(self, d: Descriptor) -> None:
        """Take a blob that need not move out of the total."""
        if self._rich is None:
            self._waiting.pop(d.digest, None)
        else:
            self._expect(-d.size)

    def _expect(self, more: int) -> None:
        if self._rich is not None and self._total is not None:
            total = next(t for t in self._rich.tasks if t.id == self._total)
            self._rich.update(self._total, total=(total.total or 0) + more)

    def _count(self) -> None:
        if self._rich is not None and self._total is not None:
            self._rich.update(self._total, description=f"Total: {self._done} of {self._blobs}")

    def _make_room(self) -> None:
        while self._rich is not None and len(self._finished) > MOST_FINISHED_BARS:
            self._rich.remove_task(self._finished.pop(0))


def _new_rich() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=max(LEAST_BAR, min(MOST_BAR, console.width - BESIDE_BAR))),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=UPDATES_PER_SECOND,
    )
