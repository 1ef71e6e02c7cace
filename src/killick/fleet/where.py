"""The founding question, answered: which containers run which of the digests that a tag had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from killick.digest import Digest
from killick.fleet.derived import Bases
from killick.fleet.judge import STANDINGS, Standing
from killick.fleet.past import Held, Past
from killick.fleet.view import Judged, Seen, View
from killick.observation import Snapshot


@dataclass(frozen=True, slots=True)
class Row:
    """A digest that the tag had (or that a container under this tag runs), and who runs it."""

    held: Held
    containers: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Where a tag's images run.

    `unplaced` name the repository, but run none of the tag's digests; `unknown` are those of which
    that can't be told; `derived` run images that are built on one of the tag's. `failed` are the
    engines that could not be asked. `unseen` are digests of the tag whose content is not known: a
    container under another name may run one of these without being found.
    """

    past: Past
    rows: tuple[Row, ...]
    unplaced: tuple[Judged, ...]
    unknown: tuple[Judged, ...]
    derived: tuple[Judged, ...]
    failed: tuple[Snapshot, ...]
    unseen: tuple[Digest, ...]

    @property
    def placed(self) -> tuple[Judged, ...]:
        """The containers that run one of the digests."""
        return tuple(judged for row in self.rows for judged in row.containers)

    @property
    def all(self) -> tuple[Judged, ...]:
        """All containers in the report, each once."""
        return (*self.placed, *self.unplaced, *self.unknown, *self.derived)

    def only(self, digest: Digest) -> Report:
        """Return the report about one digest: what runs it, may run it, or is built on it."""
        return replace(
            self,
            rows=tuple(row for row in self.rows if row.held.digest == digest),
            unplaced=(),
            derived=tuple(judged for judged in self.derived if digest in judged.bases),
            unseen=tuple(unseen for unseen in self.unseen if unseen == digest),
        )

    @property
    def summary(self) -> dict[Standing, int]:
        """How many containers have each status, the worst first; without those built on it."""
        counted = Counter(j.verdict.status for j in (*self.placed, *self.unplaced, *self.unknown))
        return {status: counted[status] for status in STANDINGS if counted[status]}


@dataclass
class _Places:
    rows: dict[Digest, list[Judged]] = field(default_factory=dict)
    extra: dict[Digest, Held] = field(default_factory=dict)
    unplaced: list[Judged] = field(default_factory=list)
    unknown: list[Judged] = field(default_factory=list)
    derived: list[Judged] = field(default_factory=list)


def where(view: View, past: Past, snapshots: Iterable[Snapshot], bases: Bases | None) -> Report:
    """Return where the images of a tag run; with `bases`, also what is built on them."""
    snapshots = list(snapshots)
    places = _Places({held.digest: [] for held in past.held})
    for snapshot in snapshots:
        for container in snapshot.containers:
            _place(view, past, view.look(snapshot, container), places, bases)
    held = (*past.held, *places.extra.values())
    rows = [Row(h, tuple(sorted(places.rows[h.digest], key=order))) for h in held]
    return Report(
        past,
        tuple(rows),
        tuple(sorted(places.unplaced, key=order)),
        tuple(sorted(places.unknown, key=order)),
        tuple(sorted(places.derived, key=order)),
        tuple(s for s in snapshots if s.failure is not None),
        tuple(h.digest for h in past.held if view.lore.reach(h.digest).open),
    )


def _place(view: View, past: Past, seen: Seen, places: _Places, bases: Bases | None) -> None:
    judged = view.against(seen, past)
    verdict = judged.verdict
    if verdict.held is not None:
        places.rows[verdict.held.digest].append(judged)
        return
    on = bases.below(seen.running) if bases is not None else ()
    if on:
        places.derived.append(replace(view.by_its_own_tag(seen), bases=on))
        return
    is_known = bool(seen.running.configs or seen.running.manifests)
    if past.name not in seen.words.places:
        if not seen.words.places and not is_known:
            places.unknown.append(judged)  # it has no name that would speak against it
        return
    if not is_known or verdict.status == "unknown":
        places.unknown.append(judged)
    elif _names(seen, past) and verdict.digest is not None:
        _add_row(judged, verdict.digest, places)
    elif _names(seen, past):
        places.unplaced.append(judged)
    else:
        places.unplaced.append(view.by_its_own_tag(seen))


def _names(seen: Seen, past: Past) -> bool:
    """Whether a container was started with this very tag."""
    asked = seen.words.asked
    return asked is not None and asked.name == past.name and asked.effective_tag == past.tag


def _add_row(judged: Judged, digest: Digest, places: _Places) -> None:
    """Give a digest that is known only from a container a row, with no interval."""
    held = places.extra.setdefault(digest, Held(digest, None, None, "container", None))
    placed = replace(judged, verdict=replace(judged.verdict, held=held))
    places.rows.setdefault(digest, []).append(placed)


def order(judged: Judged) -> tuple[str, str, str, str, str]:
    """Return the key by which containers are listed: by host, workload and name."""
    seen = judged.seen
    workload = seen.container.workload
    owner = (workload.namespace or "", workload.kind, workload.name) if workload else ("", "", "")
    return (seen.host, *owner[:2], owner[2], seen.container.name)
