"""What to do next: one sentence for each way in which stragglers are kept running.

Killick changes nothing in an engine; it says which command moves what runs the old image, and what
a bare restart would run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from killick.fleet.judge import Verdict
from killick.fleet.view import Judged
from killick.fleet.where import Report

_POD_KINDS = frozenset({"Pod", "Job", "CronJob"})
_CRI = frozenset({"containerd", "cri-o", "cri"})


@dataclass(frozen=True, slots=True)
class _Goal:
    """Where stragglers are to go: `reference` names it by its tag if that leads there now."""

    tagged: str
    pinned: str
    by_tag: bool


def next_steps(report: Report) -> list[str]:
    """Return a sentence for each kind of straggler, and for a fix that is not there."""
    stragglers = [judged for judged in report.placed if _is_behind(judged.verdict)]
    if not stragglers:
        return []
    goal = _goal(report)
    if goal is None:
        return ["no digest of this tag is known that is not affected: build and push one first"]
    groups: dict[str, list[Judged]] = {}
    for judged in stragglers:
        groups.setdefault(_sentence(judged, goal), []).append(judged)
    return [f"{_who(group)}: {sentence}" for sentence, group in sorted(groups.items())]


def _is_behind(verdict: Verdict) -> bool:
    return verdict.is_affected or verdict.status == "behind"


def _goal(report: Report) -> _Goal | None:
    """Return where to go: what the tag points to, unless that is affected and a fix is known."""
    past = report.past
    open_ = [f for j in report.placed for f in j.verdict.findings if f.is_open]
    bad = {digest for finding in open_ for digest in finding.about} - {
        digest for finding in open_ for digest in finding.fixed_by
    }
    fixes = [digest for finding in open_ for digest in finding.fixed_by]
    present = past.present
    target = present if present is not None and present not in bad else next(iter(fixes), None)
    if target is None:
        return None
    return _Goal(
        f"{past.name.familiar}:{past.tag}" if past.tag else f"{past.name.familiar}@{target}",
        f"{past.name.familiar}@{target}",
        target == present,
    )


def _sentence(judged: Judged, goal: _Goal) -> str:
    if _is_pinned(judged):
        return (
            "pinned by digest, so that any restart runs the old image; write"
            f" {goal.pinned} where they are defined"
        )
    if judged.verdict.status == "unchanged-here":
        return "what was said to be the fix holds the same for this platform: rebuild it first"
    if not goal.by_tag:
        return (
            f"the tag does not point to the fix, so pulling it changes nothing; run {goal.pinned}"
            " instead"
        )
    container = judged.seen.container
    kind = container.workload.kind if container.workload else None
    engine = judged.seen.snapshot.engine
    if engine == "kubernetes":
        return _kubernetes(kind, container.pulls, goal)
    if kind == "compose":
        return (
            f"`{_tool(engine)} compose pull`, then `{_tool(engine)} compose up -d`, makes them"
            " anew; a bare restart runs the old image"
        )
    if kind == "swarm":
        return (
            f"`docker service update --image {goal.pinned} SERVICE` moves them; a restart runs the"
            " digest that the service was deployed with"
        )
    if kind == "systemd":
        return (
            f"`podman pull {goal.tagged}`, then `systemctl restart UNIT`, which makes them anew;"
            " without the pull a restart runs the old image"
        )
    if engine in _CRI:
        return (
            "whoever made the pod makes it anew; a restarted container runs the old image where the"
            " node has it and the pull policy is not Always"
        )
    if engine in ("docker", "podman"):
        return (
            f"`{engine} pull {goal.tagged}`, then remove and run them anew; a bare"
            f" `{engine} restart` runs the old image"
        )
    return f"start them anew from {goal.pinned}; what a bare restart would run is not known"


def _kubernetes(kind: str | None, pulls: str | None, goal: _Goal) -> str:
    if kind in _POD_KINDS:
        return (
            "delete them and let whatever made them make them anew"
            if pulls == "Always"
            else f"make them anew with {goal.pinned}: nodes that have the old image would run that"
        )
    if pulls == "Always":
        return "`kubectl rollout restart` pulls, and so runs the new image; so does any restart"
    return (
        f"`kubectl set image … {goal.pinned}` moves them; a rollout restart runs the old image on"
        f" nodes that have it (imagePullPolicy {pulls or 'IfNotPresent'})"
    )


def _is_pinned(judged: Judged) -> bool:
    asked = judged.seen.words.asked
    return asked is None or asked.digest is not None


def _tool(engine: str) -> str:
    return "podman" if engine == "podman" else "docker"


def _who(group: list[Judged]) -> str:
    return f"{group[0].seen.snapshot.engine} ({', '.join(short_list(_names(group)))})"


def _names(group: Iterable[Judged]) -> Iterator[str]:
    for judged in group:
        workload = judged.seen.container.workload
        yield workload.name if workload else judged.seen.container.name


def short_list(names: Iterable[str], most: int = 5) -> list[str]:
    """Return the names, each once, at most so many, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = len(found) - most
    return [*found[:most], f"{more} more"] if more > 0 else found
