"""A judged container in the forms that commands print: a row's texts, and JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from killick.cli.printing import one_line
from killick.moments import rfc3339

if TYPE_CHECKING:
    from killick.fleet.advice import Finding
    from killick.fleet.view import Judged
    from killick.observation import Workload

NOTHING = "-"
_LONG = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
STOPPED = frozenset({"created", "dead", "exited", "removing", "stopped"})
"""States of containers that don't run; others (also unknown ones) may."""


def document(judged: Judged, *, explain: bool = False) -> dict[str, Any]:
    """Return the JSON object for a container."""
    container, verdict = judged.seen.container, judged.verdict
    workload = container.workload
    found: dict[str, Any] = {
        "host": judged.seen.host,
        "engine": judged.seen.snapshot.engine,
        "id": container.id,
        "name": container.name,
        "image": container.image,
        "digest": _text(verdict.digest),
        "manifest": _text(verdict.manifest),
        "config": _text(verdict.config),
        "platform": str(container.platform) if container.platform else None,
        "state": container.state,
        "role": container.role,
        "status": verdict.status,
        "behind_by": verdict.behind_by,
        "tagged": list(judged.tags),
        "advisories": [finding_document(finding) for finding in verdict.findings],
        "confidence": verdict.confidence,
        "workload": workload_document(workload) if workload else None,
        "seen": rfc3339(judged.seen.snapshot.taken),
    }
    if judged.bases:
        found["built_on"] = [str(digest) for digest in judged.bases]
    if explain:
        found["evidence"] = list(verdict.evidence)
    return found


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return the JSON object for what is said of what runs."""
    return {
        "id": finding.vulnerability,
        "status": finding.status,
        "fixed_by": [str(digest) for digest in finding.fixed_by],
        "about": [str(digest) for digest in finding.about],
        "note": finding.note,
    }


def workload_document(workload: Workload) -> dict[str, str | None]:
    """Return the JSON object for a workload."""
    return {"kind": workload.kind, "name": workload.name, "namespace": workload.namespace}


def fields(judged: Judged, *, full: bool) -> Mapping[str, str]:
    """Return the texts of a row for a container."""
    container, verdict = judged.seen.container, judged.verdict
    digest = verdict.digest
    return {
        "Host": one_line(judged.seen.host),
        "Container": one_line(named(judged)),
        "Image": one_line(container.image if full else _LONG.sub(r"\1", container.image)),
        "Digest": NOTHING if digest is None else str(digest) if full else digest.short,
        "Tagged": ", ".join(judged.tags) or NOTHING,
        "State": one_line(container.state),
        "Status": one_line(verdict.words),
        "ID": container.id if full else container.id.rpartition("//")[2][:12],
        "Engine": judged.seen.snapshot.engine,
        "Workload": one_line(owner(container.workload)),
        "Confidence": verdict.confidence,
        "Platform": str(container.platform or NOTHING),
    }


def named(judged: Judged) -> str:
    """Return a container's name, with its role where that is not the usual one."""
    container = judged.seen.container
    return (
        container.name if container.role == "container" else f"{container.name} ({container.role})"
    )


def owner(workload: Workload | None) -> str:
    """Return a workload in words: `Deployment shop/web`, `compose shop/web`."""
    if workload is None:
        return NOTHING
    place = f"{workload.namespace}/" if workload.namespace else ""
    return f"{workload.kind} {place}{workload.name}"


def runs(judged: Judged) -> bool:
    """Whether a container runs, or may."""
    return judged.seen.container.state not in STOPPED


def _text(value: object) -> str | None:
    return None if value is None else str(value)
