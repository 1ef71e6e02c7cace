"""`killick gc`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from killick.cli.context import Session
from killick.cli.human import familiar, size
from killick.cli.printing import note, visible
from killick.cli.settings import data_folder
from killick.cli.verb import verb
from killick.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from killick.rules import Retention
    from killick.store import Release, Store


@verb(
    "gc",
    examples="""
    killick gc --dry-run
    killick gc
    killick gc --root ./registry --config serve.toml --dry-run
    """,
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--root", type=Path, metavar="DIR", help="A served registry's folder, not the store.")
@click.option(
    "--config", type=Path, metavar="FILE", help="The registry's settings: its rules of retention."
)
@click.pass_obj
def command(session: Session, dry_run: bool, root: Path | None, config: Path | None) -> None:
    """Remove from the store, or from a served registry, what nothing needs any more.

    The store keeps what a tag points to, or pointed to within the last 90 days. A registry (by
    --root or --config) keeps all that its tags ever pointed to, but for what its rules of retention
    let go of; it can go on serving meanwhile. Both keep what is on its way in.
    """
    opened, rules = _place(session, root, config)
    with opened as store:
        let_go = list(_told(store.retain(rules, dry_run=dry_run), dry_run))
        collected = store.collect(dry_run=dry_run, letting=let_go)
    for gone in collected.removed:
        click.echo(f"{'Would delete' if dry_run else 'Deleted'}: {gone.digest}")
    if collected.count > len(collected.removed):
        note(f"and {collected.count - len(collected.removed)} more")
    words = "Reclaimable space" if dry_run else "Total reclaimed space"
    click.echo(f"{words}: {size(collected.size)}")


def _told(releases: Iterable[Release], dry_run: bool) -> Iterable[Release]:
    """Yield what is let go of, and say so."""
    for release in releases:
        name = f"{familiar(release.repository)}:{release.tag}"
        what = f"tag {name}, at" if release.what == "tag" else f"the past of {name},"
        words = "Would let go of" if dry_run else "Let go of"
        click.echo(visible(f"{words} {what} {release.digest} ({release.why})"))
        yield release


def _place(
    session: Session, root: Path | None, config: Path | None
) -> tuple[AbstractContextManager[Store], Sequence[Retention]]:
    """Return the store to work on, and the rules that hold there."""
    if root is None and config is None:
        return nullcontext(session.store), ()
    from killick.server.configuration import load
    from killick.store import Store

    configuration = load(config)
    if configuration.store:
        raise UsageError(
            f"{config} is about serving the local store",
            side="file",
            hint="leave --config off to collect its garbage",
        )
    folder = root or configuration.root or data_folder() / "registry"
    if not folder.is_dir():
        raise UsageError(f"{folder} is no registry's folder", hint="name it by --root")
    store = Store(
        folder,
        actor=session.actor,
        lease=configuration.chores.lease,
        retention=None,
        policy=configuration.policy,
    )
    return store, [stated.rule() for stated in configuration.retention]
