"""`killick logout`: forget what `login` saved."""

from __future__ import annotations

import click

from killick.cli.commands.login import registry_named
from killick.cli.context import Session
from killick.cli.printing import write
from killick.cli.verb import verb
from killick.names import DOCKER_HUB


@verb(
    "logout",
    examples="""
    killick logout                        # Docker Hub
    killick logout registry.example:5000
    """,
)
@click.argument("host", required=False, default=DOCKER_HUB, metavar="[HOST]")
@click.pass_obj
def command(session: Session, host: str) -> None:
    """Remove the credentials for a registry from where they are kept."""
    domain = registry_named(host)
    if session.credentials.erase(domain):
        write([f"Removed the login credentials for {domain}"])
    else:
        write([f"Not logged in to {domain}"])
