"""`killick ps`: every container of every engine, and what its image is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from killick.cli.context import Session, access_options
from killick.cli.engines import host_options
from killick.cli.errors import FOUND_SOMETHING
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import note
from killick.cli.verb import verb

if TYPE_CHECKING:
    from killick.fleet.view import Judged
    from killick.observation import Snapshot

_LISTING = Listing(
    {
        "Host": "HOST",
        "Container": "CONTAINER",
        "Image": "IMAGE",
        "Digest": "DIGEST",
        "Tagged": "TAGGED",
        "State": "STATE",
        "Status": "STATUS",
        "ID": "CONTAINER ID",
        "Engine": "ENGINE",
        "Workload": "WORKLOAD",
        "Confidence": "CONFIDENCE",
        "Platform": "PLATFORM",
    },
    ("Host", "Container", "Image", "Digest", "Tagged", "State", "Status"),
    "ID",
)


@dataclass(frozen=True, slots=True)
class _Line:
    judged: Judged
    full: bool

    def fields(self) -> Mapping[str, str]:
        from killick.cli import judged

        return judged.fields(self.judged, full=self.full)

    def document(self) -> Mapping[str, object]:
        from killick.cli import judged

        return judged.document(self.judged)


@verb(
    "ps",
    examples="""
    killick ps                                      # the added engines, else this machine's
    killick ps -a --host ssh://web1 --host unix:///run/podman/podman.sock
    killick ps --flagged --fail-on affected         # for cron: exit status 3 if any is affected
    killick ps --offline --json | jq -r 'select(.status == "behind") | .name'
    """,
)
@host_options
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that don't run.")
@click.option("--flagged", is_flag=True, help="Only those that an advisory is about.")
@click.option(
    "--fail-on",
    type=click.Choice(("affected", "behind", "unknown")),
    multiple=True,
    help="Exit with status 3 if any container is this; may be repeated.",
)
@click.option("--offline", is_flag=True, help="Ask no registry: go by what is recorded here.")
@format_options(no_trunc=True, quiet="Print only the containers' IDs.")
@access_options
@click.pass_obj
def command(
    session: Session,
    /,
    hosts: tuple[str, ...],
    seconds: float,
    fail_on: tuple[str, ...],
    style: Style,
    **chosen: bool,
) -> int:
    """List the containers of all engines, each with the image that it really runs.

    STATUS compares that with the tag it was started with: current, behind N, affected, fixed,
    unchanged-here, third-build or unknown. TAGGED is what tags call it now, whatever they called it
    then. See docs/where.md.
    """
    from killick.cli.fleet_view import judge_all, matches
    from killick.cli.gathering import gather
    from killick.cli.judged import runs

    session.hurry = seconds
    seen = gather(session, hosts, seconds)
    tell_failures(seen)
    judged = judge_all(session, seen, offline=chosen["offline"])
    shown = [
        j
        for j in judged
        if (chosen["everything"] or runs(j)) and (j.verdict.findings or not chosen["flagged"])
    ]
    _LISTING.show((_Line(j, style.no_trunc) for j in shown), style)
    return FOUND_SOMETHING if any(matches(j, fail_on) for j in shown) else 0


def tell_failures(seen: Iterable[Snapshot]) -> None:
    """Say which engines could not be asked."""
    for snapshot in seen:
        if snapshot.failure is not None:
            last = f"; shown as it was at {snapshot.taken:%Y-%m-%dT%H:%M:%SZ}"
            shown = last if snapshot.containers else ""
            note(f"{snapshot.host} could not be asked: {snapshot.failure}{shown}")
