"""`killick verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.errors import FOUND_SOMETHING
from killick.cli.human import familiar
from killick.cli.local import find_image
from killick.cli.printing import note, visible
from killick.cli.verb import verb
from killick.errors import UsageError

if TYPE_CHECKING:
    from killick.store import Finding


@verb(
    "verify",
    examples="""
    killick verify golftrack:1.5
    killick verify --all
    """,
)
@click.argument("references", metavar="[REF...]", nargs=-1, shell_complete=local_names)
@click.option("--all", "everything", is_flag=True, help="Check the whole store (the default).")
@click.pass_obj
def command(session: Session, references: tuple[str, ...], everything: bool) -> int:
    """Read what is stored again, and check it against its digests and for missing parts.

    Prints a line for each finding. The status is 0 if all is well, and 3 if something was found.
    """
    if references and everything:
        raise UsageError("name images or --all, not both")
    roots = [find_image(session, text).descriptor for text in references] or None
    damage = 0
    for finding in session.reading.verify(roots):
        damage += finding.damage
        click.echo(_line(finding), err=not finding.damage)
    if damage:
        what = "1 finding" if damage == 1 else f"{damage} findings"
        note(f"{what}: pull the images again to heal them")
        return FOUND_SOMETHING
    note("all content matches its digests, and nothing is missing")
    return 0


def _line(finding: Finding) -> str:
    needed = f" (needed by {', '.join(map(familiar, finding.images))})" if finding.images else ""
    return visible(f"{finding.digest or 'the store'}: {finding.problem}{needed}")
