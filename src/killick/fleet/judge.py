"""The judgement on one container: where it stands in the past of its tag, and what is said of it.

Everything is a comparison of digests. Where candidates are left, all of them must come to the same
answer, else it is `unknown`: this module may say too little, but nothing that is not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from killick.digest import Digest
from killick.fleet.advice import Finding
from killick.fleet.lore import Lore, Reach
from killick.fleet.past import Held, Past
from killick.fleet.running import Running

Standing = Literal[
    "current", "behind", "affected", "fixed", "unchanged-here", "third-build", "unknown"
]
STANDINGS: tuple[Standing, ...] = (
    "affected",
    "unchanged-here",
    "unknown",
    "third-build",
    "behind",
    "fixed",
    "current",
)
"""All of them, the worst first."""

Confidence = Literal["exact", "derived", "inferred", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a container's image.

    `digest` is the index or manifest that a tag would name, `manifest` and `config` are the
    platform's own; each None where it is not known. `held` is the tag's entry that it runs.
    `exact` confidence: its engine told a digest of that entry. `derived`: another digest was told,
    and the graph leads from one to the other. `inferred`: only the words that it was started with
    name a digest.
    """

    status: Standing
    confidence: Confidence
    digest: Digest | None = None
    manifest: Digest | None = None
    config: Digest | None = None
    behind_by: int | None = None
    held: Held | None = None
    findings: tuple[Finding, ...] = ()
    evidence: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_affected(self) -> bool:
        """Whether something is said to be wrong with what runs, and nothing to be right with it."""
        return any(finding.is_open and finding.certain for finding in self.findings)

    @property
    def words(self) -> str:
        """The status as people read it: `affected CVE-2026-1`, `behind 2`."""
        if self.status in ("affected", "unchanged-here") and self.is_affected:
            names = ", ".join(f.vulnerability for f in self.findings if f.is_open)
            return f"{self.status} {names}"
        if self.status == "fixed":
            names = ", ".join(f.vulnerability for f in self.findings if f.status == "fixed")
            return f"fixed {names}"
        if self.status == "behind" and self.behind_by is not None:
            return f"behind {self.behind_by}"
        return self.status


def judge(
    lore: Lore, running: Running, past: Past | None, findings: Sequence[Finding] = ()
) -> Verdict:
    """Return the verdict on what runs, by the past of a tag (None: none is known) and findings."""
    if running.doubt is not None:
        evidence = (*running.evidence, f"unknown: {running.doubt}")
        return Verdict("unknown", "unknown", evidence=evidence)
    status, held, behind, reason = _by_tag(lore, running, past)
    said, reasons = _by_findings(findings)
    digest = held.digest if held else _top(lore, running)
    return Verdict(
        said or status,
        _confidence(running, digest),
        digest,
        running.manifest,
        running.config,
        behind,
        held,
        tuple(findings),
        (*running.evidence, *reason, *reasons),
    )


def _by_tag(
    lore: Lore, running: Running, past: Past | None
) -> tuple[Standing, Held | None, int | None, tuple[str, ...]]:
    """Return the status by what a tag had, its entry that runs, and how far that is behind."""
    if past is None or not past.held:
        return "unknown", None, None, ("nothing is recorded of a tag that it could be compared to",)
    tag = f"{past.name.familiar}:{past.tag}" if past.tag else past.name.familiar
    matching = [held for held in past.held if _holds(lore, held, running)]
    if not matching:
        return _unmatched(lore, running, past, tag)
    named = [held for held in matching if held.digest in running.claimed]
    held = (named or matching)[0]
    told = f"{held.digest.encoded[:12]} is what {tag} "
    if not named and any(
        newer.back is not None and _reach(lore, newer, running).open
        for newer in past.held[: past.held.index(held)]
    ):
        return (
            "unknown",
            held,
            None,
            (f"it may be a newer digest of {tag} as well: not all is known",),
        )
    if held.back == 0:
        return "current", held, 0, (told + "points to",)
    present = next((h for h in matching if h.back == 0), None)
    if present is not None:
        return (
            "unchanged-here",
            held,
            held.back,
            (
                told + f"pointed to; {present.digest.encoded[:12]}, which it points to now,"
                " holds the same for this platform",
            ),
        )
    newest = next((h for h in past.held if h.back == 0), None)
    if newest is not None and running.configs & lore.reach(newest.digest).configs:
        return "unknown", held, None, (f"{tag} still points to one of the images it may be",)
    if past.tag is None:
        return "unknown", held, None, ("no tag is known that had it",)
    if held.back is None:
        return "third-build", held, None, (told + "points to as a local name only",)
    return "behind", held, held.back, (told + f"pointed to, {held.back} before the last",)


def _holds(lore: Lore, held: Held, running: Running) -> bool:
    """Whether an entry of the tag is, or holds, what runs."""
    if running.is_within(lore.reach(held.digest)):
        return True
    return not running.configs and held.digest in running.claimed


def _reach(lore: Lore, held: Held, running: Running) -> Reach:
    """Return what an entry of the tag holds for the platform that was observed, if it suits any."""
    reach = lore.reach(held.digest, running.platform)
    return reach if reach.configs or reach.manifests else lore.reach(held.digest)


def _unmatched(
    lore: Lore, running: Running, past: Past, tag: str
) -> tuple[Standing, Held | None, int | None, tuple[str, ...]]:
    unsure = [
        held.digest
        for held in past.held
        if not running.configs or running.may_be_within(_reach(lore, held, running))
    ]
    if unsure:
        first = unsure[0].encoded[:12]
        return (
            "unknown",
            None,
            None,
            (f"it may be {first}, which {tag} had: what that holds is not known",),
        )
    return (
        "third-build",
        None,
        None,
        (f"it is none of the {len(past.held)} digests that {tag} is known to have had",),
    )


def _by_findings(findings: Sequence[Finding]) -> tuple[Standing | None, list[str]]:
    """Return the status by what is said; None where that decides nothing."""
    reasons = [
        f"{f.vulnerability}: said to be {f.status.replace('_', ' ')} of "
        + ", ".join(d.encoded[:12] for d in f.about)
        for f in findings
    ]
    standings: set[Standing] = set()
    for finding in findings:
        if not finding.certain:
            standings.add("unknown")
        elif finding.status == "affected":
            standings.add("unchanged-here" if finding.unchanged else "affected")
        elif finding.status == "fixed":
            standings.add("fixed")
    return next((s for s in STANDINGS if s in standings), None), reasons


def _top(lore: Lore, running: Running) -> Digest | None:
    """Return the digest that a tag would name, if there is but one that it can be.

    An index that was claimed, else the manifest that was; else what stands above the config.
    """
    for kind in ("index", "manifest"):
        named = [d for d in running.named if (n := lore.node(d)) is not None and n.kind == kind]
        if named:
            return named[0] if len(set(named)) == 1 else None
    if running.config is None:
        return None
    above = lore.above(running.config)
    tops = [digest for digest in above if not lore.above(digest)]
    return tops[0] if len(tops) == 1 else None


def _confidence(running: Running, digest: Digest | None) -> Confidence:
    if running.pinned:
        return "inferred"
    return "exact" if digest is not None and digest in running.claimed else "derived"
