"""Chores: what a registry does by itself from time to time, in one of its workers.

Every worker has the same list. A lock file elects the one that looks what is due; a lock of its own
a chore sees to it that it never runs twice at once, whoever started it: the clock or a caller. What
came of the last run is in a file a chore, for all workers to tell; a run that was interrupted keeps
there how far it came, and is due again at once.

    <folder>/lock            held by the worker that looks what is due
    <folder>/<name>.lock     held while the chore runs
    <folder>/<name>.json     what came of it
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from killick.errors import Conflict, KillickError, NotFound, StoreError

TICK = 1.0
"""Seconds between two looks at what is due."""

PAUSE = 60.0
"""Seconds until a chore is tried again of which it can't be written down how it went."""

LAST_MOMENTS = 5.0
"""Seconds that a chore gets to stop in when the server stops."""

_MOST_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)

Outcome = Literal["never", "running", "done", "failed", "interrupted"]
Result = Mapping[str, Any]


class Interrupted(Exception):
    """The chore has to stop now; what it kept is gone on with later."""


class Shift:
    """One run of a chore. `kept` is what a run that was interrupted left, to go on from."""

    def __init__(self, stopping: threading.Event, kept: Result) -> None:
        self._stopping = stopping
        self.kept: Result = kept

    def check(self) -> None:
        """Raise `Interrupted` if the server stops. To be called every second or so."""
        if self._stopping.is_set():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Wait; raises `Interrupted` if the server stops meanwhile."""
        if self._stopping.wait(seconds):
            raise Interrupted

    def keep(self, kept: Result) -> None:
        """Note how far this run has come (values as JSON has them)."""
        self.kept = kept


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do `every` so often (None: only when asked), by `work`, which returns figures.

    `rehearse`, if it can, returns what `work` would do.
    """

    name: str
    every: timedelta | None
    work: Callable[[Shift], Result]
    rehearse: Callable[[], Result] | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What came of a chore's last run. Times are seconds since 1970."""

    outcome: Outcome = "never"
    started: float | None = None
    finished: float | None = None
    result: Result = field(default_factory=dict)
    error: str | None = None
    succeeded: float | None = None
    kept: Result = field(default_factory=dict)

    def as_json(self, name: str, every: timedelta | None) -> dict[str, object]:
        """Return it as callers see it."""
        return {
            "name": name,
            "every": None if every is None else every.total_seconds(),
            "outcome": self.outcome,
            "started": _moment(self.started),
            "finished": _moment(self.finished),
            "succeeded": _moment(self.succeeded),
            "result": dict(self.result),
            "error": self.error,
        }


class Chores:
    """The chores of one worker. `clock` tells seconds since 1970."""

    def __init__(
        self, folder: Path, chores: Iterable[Chore], clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._chores = {chore.name: chore for chore in chores}
        self._clock = clock
        self._stopping = threading.Event()
        self._leading: int | None = None
        self._running: dict[str, threading.Thread] = {}
        self._unkept: dict[str, float] = {}
        self._mutex = threading.Lock()
        self._scheduler = threading.Thread(target=self._schedule, name="chores", daemon=True)

    def start(self) -> None:
        """Begin to look what is due.

        Where the folder can't be made now (a full disk), calls are answered all the same, and it is
        tried again later.
        """
        self._scheduler.start()

    def close(self) -> None:
        """Stop what runs, and wait for it (not for long)."""
        self._stopping.set()
        end = time.monotonic() + LAST_MOMENTS
        threads = [self._scheduler, *self._running.values()]
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        leading, self._leading = self._leading, None
        if leading is not None:
            os.close(leading)

    def names(self) -> list[str]:
        """Return the names of all chores."""
        return list(self._chores)

    def account(self, name: str) -> dict[str, object]:
        """Return what came of a chore, as JSON has it.

        Raises:
            NotFound: there is no such chore.
        """
        chore = self._find(name)
        account = self._read(name)
        if account.outcome == "running" and not self._is_held(name):
            account = replace(account, outcome="interrupted")
        return account.as_json(name, chore.every)

    def ask(self, name: str) -> None:
        """Start a chore now, in a thread.

        Raises:
            NotFound: there is no such chore.
            Conflict: it is under way.
        """
        chore = self._find(name)
        if not self._begin(chore):
            raise Conflict(f"the chore {name} is under way", hint="wait for it to end")

    def rehearse(self, name: str) -> Result:
        """Return what a chore would do.

        Raises:
            NotFound: there is no such chore, or it can't tell.
        """
        chore = self._find(name)
        if chore.rehearse is None:
            raise NotFound(f"the chore {name} can't tell what it would do")
        return chore.rehearse()

    def _find(self, name: str) -> Chore:
        if name not in self._chores:
            raise NotFound(
                f"there is no chore {name[:100]!r}", hint=f"there are {', '.join(self._chores)}"
            )
        return self._chores[name]

    def _schedule(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                if self._lead():
                    for chore in self._chores.values():
                        if self._is_due(chore):
                            self._begin(chore)
            except (OSError, KillickError) as error:
                _log.error("the chores can't be looked after: %s", error)
                self._stopping.wait(60)

    def _lead(self) -> bool:
        """Return whether this worker is the one that looks after the chores."""
        if self._leading is None:
            self._leading = _lock(self._folder / "lock")
        return self._leading is not None

    def _is_due(self, chore: Chore) -> bool:
        if chore.every is None or self._is_running(chore.name):
            return False
        if time.monotonic() < self._unkept.get(chore.name, -PAUSE) + PAUSE:
            return False
        last = self._read(chore.name)
        if last.outcome in ("running", "interrupted") or last.finished is None:
            return True
        # A last time in the future is that of a clock that was put back.
        return not 0 <= self._clock() - last.finished < chore.every.total_seconds()

    def _is_running(self, name: str) -> bool:
        with self._mutex:
            thread = self._running.get(name)
        return thread is not None and thread.is_alive()

    def _begin(self, chore: Chore) -> bool:
        """Run a chore in a thread, unless it runs already, in whichever worker."""
        if self._stopping.is_set():
            return False
        lock = _lock(self._folder / f"{chore.name}.lock")
        if lock is None:
            return False
        thread = threading.Thread(
            target=self._run, args=(chore, lock), name=f"chore-{chore.name}", daemon=True
        )
        with self._mutex:
            self._running[chore.name] = thread
        thread.start()
        return True

    def _run(self, chore: Chore, lock: int) -> None:
        before = self._read(chore.name)
        shift = Shift(self._stopping, before.kept)
        account = replace(before, outcome="running", started=self._clock(), finished=None)
        try:
            self._write(chore.name, account)
            self._write(chore.name, self._finished(chore, shift, account))
            self._unkept.pop(chore.name, None)
        except OSError as error:
            self._unkept[chore.name] = time.monotonic()
            _log.error("what came of the chore %s can't be kept: %s", chore.name, error)
        finally:
            os.close(lock)

    def _finished(self, chore: Chore, shift: Shift, account: Account) -> Account:
        try:
            result = dict(chore.work(shift))
        except Interrupted:
            return replace(
                account, outcome="interrupted", finished=self._clock(), kept=dict(shift.kept)
            )
        except KillickError as error:
            if self._stopping.is_set():  # the store was closed under its hands
                return replace(account, outcome="interrupted", finished=self._clock())
            _log.error("the chore %s failed: %s", chore.name, error.message)
            return self._failed(account, error.message)
        except Exception as error:
            _log.exception("the chore %s hit a defect", chore.name)
            return self._failed(account, f"a defect ({type(error).__name__}); the log says more")
        now = self._clock()
        done = replace(account, outcome="done", finished=now, succeeded=now, result=result)
        _log.info("the chore %s is done: %s", chore.name, json.dumps(result, default=str))
        return replace(done, error=None, kept={})

    def _failed(self, account: Account, message: str) -> Account:
        return replace(account, outcome="failed", finished=self._clock(), error=message, kept={})

    def _is_held(self, name: str) -> bool:
        lock = _lock(self._folder / f"{name}.lock")
        if lock is not None:
            os.close(lock)
        return lock is None

    def _read(self, name: str) -> Account:
        try:
            with (self._folder / f"{name}.json").open("rb") as file:
                return Account(**json.loads(file.read(_MOST_BYTES)))
        except FileNotFoundError:
            return Account()
        except (OSError, ValueError, TypeError) as error:
            _log.warning("what came of the chore %s can't be read: %s", name, error)
            return Account()

    def _write(self, name: str, account: Account) -> None:
        made = self._folder / f"{name}.json.new"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(account), file, default=str)
        made.replace(self._folder / f"{name}.json")


@contextmanager
def kept_running(chores: Chores | None) -> Iterator[None]:
    """Look after the chores for as long as the block takes."""
    if chores is None:
        yield
        return
    chores.start()
    try:
        yield
    finally:
        chores.close()


def _lock(path: Path) -> int | None:
    """Lock a file, made with its folder if it is missing; None if somebody has it locked.

    Raises:
        StoreError: it can't be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} can't be made ({error.strerror})") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _moment(stamp: float | None) -> str | None:
    if stamp is None:
        return None
    return datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds")
