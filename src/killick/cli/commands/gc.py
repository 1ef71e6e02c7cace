"""`killick gc`."""

from __future__ import annotations

import click

from killick.cli.context import Session
from killick.cli.human import size
from killick.cli.verb import verb


@verb(
    "gc",
    examples="""
    killick gc --dry-run
    killick gc
    """,
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_obj
def command(session: Session, dry_run: bool) -> None:
    """Remove from the store what nothing needs any more.

    Kept is what a tag points to, or pointed to within the last 90 days, and what is on its way in.
    """
    collected = session.store.collect(dry_run=dry_run)
    for gone in collected.removed:
        click.echo(f"{'Would delete' if dry_run else 'Deleted'}: {gone.digest}")
    words = "Reclaimable space" if dry_run else "Total reclaimed space"
    click.echo(f"{words}: {size(collected.size)}")
