"""`killick verify`."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.errors import FOUND_SOMETHING
from killick.cli.local import find_image
from killick.cli.verb import verb
from killick.errors import UsageError


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
    count = 0
    for count, finding in enumerate(session.reading.verify(roots), 1):  # noqa: B007 - it is the number of findings
        click.echo(f"{finding.digest}: {finding.problem}")
    if count:
        what = "1 finding" if count == 1 else f"{count} findings"
        click.echo(f"{what}: pull or push the images again to heal them", err=True)
        return FOUND_SOMETHING
    click.echo("all content matches its digests, and nothing is missing", err=True)
    return 0
