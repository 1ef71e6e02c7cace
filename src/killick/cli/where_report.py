"""`where`'s report: as text for people, and as the JSON document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from killick.cli import judged as forms
from killick.cli.output import aligned
from killick.fleet.advice import Advice
from killick.fleet.next_step import next_steps, short_list
from killick.moments import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from killick.digest import Digest
    from killick.fleet.lore import Lore
    from killick.fleet.past import Held, Past
    from killick.fleet.view import Judged
    from killick.fleet.where import Report, Row
    from killick.observation import Snapshot


class WhereReport:
    """A report, with what is needed to tell of its digests."""

    def __init__(self, report: Report, lore: Lore, advice: Advice, *, explain: bool) -> None:
        self.report = report
        self._lore = lore
        self._advice = advice
        self._explain = explain

    @property
    def reference(self) -> str:
        """The tag that the report is about."""
        return _named(self.report.past)

    @property
    def has_affected_base(self) -> bool:
        """Whether anything is built on a digest that is said to be affected."""
        bases = {digest for judged in self.report.derived for digest in judged.bases}
        return any(said.status == "affected" for d in bases for _, said in self._advice.about(d))

    def document(self) -> dict[str, Any]:
        """Return the JSON document."""
        report = self.report
        return {
            "reference": self.reference,
            "history": "registry" if report.past.told else "observed",
            "digests": [self._digest_document(row) for row in report.rows],
            "unplaced": self._documents(report.unplaced),
            "unknown": self._documents(report.unknown),
            "derived": self._documents(report.derived),
            "failed": [
                {
                    "host": s.host,
                    "engine": s.engine,
                    "failure": s.failure,
                    "seen": rfc3339(s.taken) if s.containers else None,
                }
                for s in report.failed
            ],
            "unseen": [str(digest) for digest in report.unseen],
            "summary": dict(report.summary),
            "next": next_steps(report),
            "answer": answer(report),
        }

    def _digest_document(self, row: Row) -> dict[str, Any]:
        held = row.held
        return {
            "digest": str(held.digest),
            "since": rfc3339(held.since) if held.since else None,
            "until": rfc3339(held.until) if held.until else None,
            "source": held.source,
            "back": held.back,
            "status": _status(held),
            "platforms": self._platforms(held.digest),
            "advisories": [
                {"id": name, "status": said.status, "note": said.note}
                for name, said in self._advice.about(held.digest)
            ],
            "containers": self._documents(row.containers),
        }

    def _documents(self, listed: Iterable[Judged]) -> list[dict[str, Any]]:
        return [forms.document(judged, explain=self._explain) for judged in listed]

    def lines(self) -> Iterator[str]:
        """Yield the text."""
        report = self.report
        yield self.reference
        for row in report.rows:
            yield ""
            yield self._heading(row.held)
            yield from self._said(row.held.digest)
            yield from self._containers(row.containers)
        for title, listed in (
            ("Of this repository, and none of these digests:", report.unplaced),
            ("Built on one of these digests:", report.derived),
            ("Not known:", report.unknown),
        ):
            if listed:
                yield ""
                yield title
                yield from self._containers(listed, with_digest=True)
        if report.failed:
            yield ""
            yield "Not asked:"
            yield from (f"  {s.host}: {s.failure}{_as_of(s)}" for s in report.failed)
        yield ""
        yield from next_steps(report)
        yield answer(report).replace("; ", ";\n")

    def _heading(self, held: Held) -> str:
        tag = self.report.past.tag
        label = f"{tag}{f'~{held.back}' if held.back else ''}" if held.back is not None else "-"
        return f"{held.digest}   {label}   {_interval(held)}"

    def _said(self, digest: Digest) -> Iterator[str]:
        platforms = ", ".join(self._platforms(digest))
        if platforms:
            yield f"  {platforms}"
        for name, said in self._advice.about(digest):
            note = f": {said.note}" if said.note else ""
            yield f"  {said.status.replace('_', ' ')} {name}{note}"

    def _containers(self, listed: Iterable[Judged], *, with_digest: bool = False) -> Iterator[str]:
        rows: list[list[str]] = []
        notes: list[list[str]] = []
        for group in _grouped(list(listed), self._key(with_digest=with_digest)):
            first = group[0]
            names = ", ".join(forms.named(judged) for judged in group)
            cells = forms.fields(first, full=False)
            rows.append([cells["Host"], cells["Workload"], names, cells["State"], cells["Status"]])
            if with_digest:
                rows[-1].append(_also(first))
            notes.append(list(first.verdict.evidence) if self._explain else [])
        for line, said in zip(aligned(rows), notes, strict=True):
            yield f"  {line.rstrip()}"
            yield from (f"      {text}" for text in said)

    def _key(self, *, with_digest: bool) -> Callable[[Judged], tuple[object, ...]]:
        def key(judged: Judged) -> tuple[object, ...]:
            cells = forms.fields(judged, full=True)
            own = judged.verdict.evidence if self._explain else None
            shown = _also(judged) if with_digest else ""
            return (cells["Host"], cells["Workload"], cells["State"], cells["Status"], shown, own)

        return key

    def _platforms(self, digest: Digest) -> list[str]:
        """Return the platforms that an image is for, as far as they are known."""
        node = self._lore.node(digest)
        if node is None or node.children is None:
            return []
        if node.kind == "index":
            stated = (child.platform for child in node.children if child.platform)
            return list(dict.fromkeys(str(p) for p in stated if p.os != "unknown"))
        config = self._lore.node(node.children[0].digest)
        return [str(config.platform)] if config is not None and config.platform else []


def answer(report: Report) -> str:
    """Return the line that answers in words."""
    name = _named(report.past)
    counted = [*report.placed, *report.unplaced, *report.unknown]
    if not counted and not report.derived:
        asked = "no container of any engine that answered" if report.failed else "no container"
        return f"{asked} runs {name}, or names its repository"
    parts = list(_parts(report, len(counted)))
    if report.derived:
        parts.append(f"{_count(len(report.derived))} built on it: {_names(report.derived)}")
    if report.failed:
        parts.append(f"{len(report.failed)} of the engines could not be asked")
    if report.unseen:
        parts.append(
            f"what {_digests(report.unseen)} held is not known, so that others may run it too"
        )
    return "; ".join(parts)


def _parts(report: Report, total: int) -> Iterator[str]:
    everyone = (*report.placed, *report.unplaced)
    affected = [j for j in everyone if j.verdict.is_affected]
    fixed = [j for j in everyone if j.verdict.status == "fixed"]
    if affected:
        verb = _verb(affected)
        yield f"{len(affected)} of {total} containers {verb} the affected image: {_names(affected)}"
    elif any(j.verdict.findings for j in everyone):
        yield f"none of {total} containers is known to run an affected image"
    else:
        current = [j for j in report.placed if j.verdict.status == "current"]
        verb = _verb(current)
        yield f"{len(current)} of {total} containers {verb} what {_named(report.past)} points to"
    if fixed:
        yield f"{_count(len(fixed))} the fixed one"
    others = [j for j in everyone if j.verdict.status in ("behind", "third-build")]
    if others:
        yield f"{_count(len(others))} another: {_names(others)}"
    if report.unknown:
        yield f"of {len(report.unknown)} it is not known: {_names(report.unknown)}"


def _as_of(snapshot: Snapshot) -> str:
    return f"; as it was at {_moment(snapshot.taken)}" if snapshot.containers else ""


def _verb(listed: list[Judged]) -> str:
    if all(forms.runs(judged) for judged in listed):
        return "run"
    return "run, or would when started,"


def _count(count: int) -> str:
    return f"{count} runs" if count == 1 else f"{count} run"


def _names(listed: Iterable[Judged]) -> str:
    return ", ".join(short_list(f"{j.seen.container.name} on {j.seen.host}" for j in listed))


def _digests(digests: Iterable[Digest]) -> str:
    return ", ".join(short_list(digest.short for digest in digests))


def _named(past: Past) -> str:
    return f"{past.name.familiar}:{past.tag}" if past.tag else past.name.familiar


def _status(held: Held) -> str | None:
    """Return how a digest stands in its tag; None where it is not known to have had it."""
    if held.back is None:
        return None
    return "current" if held.back == 0 else "behind"


def _interval(held: Held) -> str:
    if held.since is None:
        return "known from containers only"
    how = {"registry": "", "observed": "observed ", "local": "here "}.get(held.source, "")
    if held.until is None:
        return f"{how}since {_moment(held.since)}"
    return f"{how}{_moment(held.since)} to {_moment(held.until)}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _also(judged: Judged) -> str:
    digest = judged.verdict.digest
    on = f"on {_digests(judged.bases)}" if judged.bases else ""
    words = [judged.seen.container.image, digest.short if digest else "", on]
    return "   ".join(word for word in words if word)


def _grouped(
    listed: list[Judged], key: Callable[[Judged], tuple[object, ...]]
) -> Iterator[list[Judged]]:
    """Yield the containers that are alike, in their order."""
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for judged in listed:
        groups.setdefault(key(judged), []).append(judged)
    yield from groups.values()
