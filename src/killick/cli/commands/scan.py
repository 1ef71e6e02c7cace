"""`killick scan`: what every engine runs, remembered here, or told to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from killick.cli.commands.login import registry_named
from killick.cli.context import Session, access_options
from killick.cli.engines import engines_for, host_options, snapshots
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import one_line
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.moments import rfc3339

if TYPE_CHECKING:
    from killick.observation import Snapshot

_LISTING = Listing(
    {
        "Host": "HOST",
        "Engine": "ENGINE",
        "Containers": "CONTAINERS",
        "Images": "IMAGES",
        "Problem": "PROBLEM",
    },
    ("Host", "Engine", "Containers", "Images", "Problem"),
    "Host",
)


@dataclass(frozen=True, slots=True)
class _Line:
    snapshot: Snapshot

    @property
    def images(self) -> int:
        """How many images they run, by what the engine itself tells them apart by."""
        found = {
            next((claim.value for claim in container.claims), container.image)
            for container in self.snapshot.containers
        }
        return len(found)

    def fields(self) -> Mapping[str, str]:
        failed = self.snapshot.failure is not None
        return {
            "Host": one_line(self.snapshot.host),
            "Engine": one_line(self.snapshot.engine),
            "Containers": "-" if failed else str(len(self.snapshot.containers)),
            "Images": "-" if failed else str(self.images),
            "Problem": one_line(self.snapshot.failure or ""),
        }

    def document(self) -> Mapping[str, object]:
        failed = self.snapshot.failure is not None
        return {
            "host": self.snapshot.host,
            "engine": self.snapshot.engine,
            "taken": rfc3339(self.snapshot.taken),
            "containers": None if failed else len(self.snapshot.containers),
            "images": None if failed else self.images,
            "failure": self.snapshot.failure,
        }


@verb(
    "scan",
    examples="""
    killick scan
    killick scan --host ssh://ana@web1 --host cri:///run/containerd/containerd.sock
    killick scan --to registry.example:5000        # from each host, by a timer
    """,
)
@host_options
@click.option("--to", metavar="HOST", help="Tell a registry that Killick serves, not the store.")
@format_options(quiet="Names of hosts alone.")
@access_options
@click.pass_obj
def command(
    session: Session, hosts: tuple[str, ...], seconds: float, to: str | None, style: Style
) -> int:
    """Look at all containers, and remember what was seen: names vanish after a pull or a prune.

    One line an engine. An engine that can't be asked is a line as well, and no failure of the
    rest; the exit status is 1 if none could be asked.
    """
    engines = engines_for(hosts)
    registry = session.registry(_registry(to)) if to is not None else None
    keeper = registry or session.store
    answered = 0

    def rows() -> Iterator[_Line]:
        nonlocal answered
        for snapshot in snapshots(engines, seconds):
            keeper.report(snapshot)
            answered += snapshot.failure is None
            yield _Line(snapshot)

    lines = sorted(rows(), key=lambda line: line.snapshot.host)
    _LISTING.show(lines, style)
    return 0 if answered else 1


def _registry(url: str) -> str:
    """Return the registry that `--to` names: a host, or its URL.

    Raises:
        UsageError: it names none, or a path in one.
    """
    bare = url.partition("://")[2] or url
    if "/" in bare.rstrip("/"):
        raise UsageError(f"{url!r} names more than a registry", hint="write it as host[:port]")
    return registry_named(bare.rstrip("/"))
