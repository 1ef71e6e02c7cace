"""Figures of a server for Prometheus, kept in memory that all its workers share.

Each worker has a slot of its own and is the only one to write there, so that counting takes no
lock between processes: a request costs a few additions. Whoever is asked for the figures adds up
all slots. A slot outlives its worker: counters never go back while the server runs.

Requests are counted on the event loop's thread only; `count` may be called from any thread.
"""

from __future__ import annotations

import mmap
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from killick.repository import Change
from killick.server.routes import Kind

METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "other")
ROUTES = (*get_args(Kind), "healthz", "readyz", "metrics", "none")
"""What a request asked for; `none` where no route was found for it."""
STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 304, 307, 308),
    *(400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 416, 429, 500, 502, 503, 504, 507),
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper ends of the histogram's buckets."""

FAMILIES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "tag_moves": (
        "Moves of tags, by what they did to the name.",
        "change",
        (*get_args(Change), "other"),
    ),
    "log_lines_dropped": (
        "Lines of the access log that nobody took in time.",
        "log",
        ("access", "other"),
    ),
}
"""What else is counted: name → what it is, its label, the label's values."""

_STATUS_AT = {status: place for place, status in enumerate(STATUSES)}
_OTHER_STATUS = len(STATUSES)
_BUCKETS_AT = _OTHER_STATUS + 1
_MICROSECONDS_AT = _BUCKETS_AT + len(SECONDS) + 1
_SENT_AT = _MICROSECONDS_AT + 1
_RECEIVED_AT = _SENT_AT + 1
_ROW = _RECEIVED_AT + 1
_ROW_AT = {
    (method, route): _ROW * (len(ROUTES) * m + r)
    for m, method in enumerate(METHODS)
    for r, route in enumerate(ROUTES)
}
_EVENT_AT: Mapping[tuple[str, str], int] = {
    key: _ROW * len(_ROW_AT) + place
    for place, key in enumerate(
        (name, value) for name, (_, _, values) in FAMILIES.items() for value in values
    )
}
WIDTH = _ROW * len(_ROW_AT) + len(_EVENT_AT)
"""Numbers in a slot, of eight bytes each."""


class Seen(NamedTuple):
    """A request that was answered: what the figures and the access log are told."""

    method: str
    route: str
    status: int
    sent: int
    received: int
    seconds: float
    caller: str
    request: str
    path: str
    client: str


class Figures:
    """The figures of one server. `path` is a file that its workers map; None: this process only.

    `slots` is how many workers there can be at once, those that are on their way out included.
    """

    def __init__(self, slots: int = 1, slot: int = 0, path: Path | None = None) -> None:
        self._slots = slots
        self._mutex = threading.Lock()
        size = slots * WIDTH * 8
        if path is None:
            self._memory = mmap.mmap(-1, size)
        else:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, size)
                self._memory = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        self._all = memoryview(self._memory).cast("Q")
        self._cells = self._all[slot * WIDTH : (slot + 1) * WIDTH]

    def request(self, seen: Seen) -> None:
        """Count a request. Called on the event loop only."""
        row = _ROW_AT.get((seen.method, seen.route))
        if row is None:
            method = seen.method if seen.method in METHODS else "other"
            row = _ROW_AT[method, seen.route if seen.route in ROUTES else "none"]
        cells = self._cells
        cells[row + _STATUS_AT.get(seen.status, _OTHER_STATUS)] += 1
        cells[row + _BUCKETS_AT + bisect_left(SECONDS, seen.seconds)] += 1
        cells[row + _MICROSECONDS_AT] += int(seen.seconds * 1_000_000)
        if seen.sent:
            cells[row + _SENT_AT] += seen.sent
        if seen.received:
            cells[row + _RECEIVED_AT] += seen.received

    def count(self, family: str, value: str, by: int = 1) -> None:
        """Add to one of `FAMILIES`."""
        place = _EVENT_AT.get((family, value))
        with self._mutex:
            self._cells[_EVENT_AT[family, "other"] if place is None else place] += by

    def text(self, gauges: Sequence[str] = ()) -> str:
        """Return all figures in Prometheus' text format, with further lines as they are."""
        totals = self._totals()
        return "\n".join([*_requests(totals), *_events(totals), *gauges]) + "\n"

    def _totals(self) -> list[int]:
        slots = [self._all[n * WIDTH : (n + 1) * WIDTH].tolist() for n in range(self._slots)]
        return [sum(cells) for cells in zip(*slots, strict=True)]


def _requests(totals: Sequence[int]) -> Iterator[str]:
    used = [
        (f'method="{method}",route="{route}"', totals[row : row + _ROW])
        for (method, route), row in _ROW_AT.items()
        if any(totals[row : row + _BUCKETS_AT])
    ]
    yield from header("http_requests_total", "counter", "Requests that were answered.")
    for labels, row in used:
        for place, number in enumerate(row[:_BUCKETS_AT]):
            status = "other" if place == _OTHER_STATUS else STATUSES[place]
            if number:
                yield f'killick_http_requests_total{{{labels},status="{status}"}} {number}'
    yield from header("http_request_seconds", "histogram", "Time until the answer was handed over.")
    for labels, row in used:
        yield from _histogram(labels, row)
    for name, place in (("sent", _SENT_AT), ("received", _RECEIVED_AT)):
        yield from header(f"http_{name}_bytes_total", "counter", f"Bytes of bodies {name}.")
        for labels, row in used:
            yield f"killick_http_{name}_bytes_total{{{labels}}} {row[place]}"


def _histogram(labels: str, row: Sequence[int]) -> Iterator[str]:
    below = 0
    for place, end in enumerate((*SECONDS, "+Inf")):
        below += row[_BUCKETS_AT + place]
        yield f'killick_http_request_seconds_bucket{{{labels},le="{end}"}} {below}'
    yield f"killick_http_request_seconds_sum{{{labels}}} {row[_MICROSECONDS_AT] / 1_000_000}"
    yield f"killick_http_request_seconds_count{{{labels}}} {below}"


def _events(totals: Sequence[int]) -> Iterator[str]:
    for name, (about, label, values) in FAMILIES.items():
        yield from header(f"{name}_total", "counter", about)
        for value in values:
            yield f'killick_{name}_total{{{label}="{value}"}} {totals[_EVENT_AT[name, value]]}'


def header(name: str, kind: str, about: str) -> Iterator[str]:
    """Yield the two lines that stand before the values of a family."""
    yield f"# HELP killick_{name} {about}"
    yield f"# TYPE killick_{name} {kind}"
