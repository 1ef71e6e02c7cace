"""`killick unflag`: take back what was said."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.verb import verb
from killick.errors import NotFound
from killick.knowledge import FLAGGED


@verb(
    "unflag",
    examples="""
    killick unflag golftrack:1.5~1 --id CVE-2026-1234
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@click.option("--id", "vulnerability", required=True, metavar="CVE", help="The vulnerability.")
@access_options
@click.pass_obj
def command(session: Session, reference: str, vulnerability: str) -> None:
    """Take back what was said with flag of an image and a vulnerability.

    What others say (in files that were imported, and documents attached to images) stays: to
    contradict it, flag the image anew.
    """
    from killick.cli.flagging import find_meant

    image = find_meant(session, reference)
    said = [
        advisory
        for advisory in session.store.advisories()
        if any(
            vulnerability in statement.names and image.digest in statement.products
            for statement in advisory.vex.statements
        )
    ]
    own = [advisory for advisory in said if advisory.source == FLAGGED]
    for advisory in own:
        session.store.retract(advisory)
    if own:
        click.echo(f"{image.digest}: nothing is said of {vulnerability} with flag any more")
        return
    hint = f"it is said by {said[0].source}: flag it anew to contradict that" if said else None
    raise NotFound(
        f"{image.digest} was not flagged with {vulnerability}",
        hint=hint or "killick flags lists what is said",
    )
