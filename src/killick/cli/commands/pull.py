"""`killick pull`."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options, progress_option
from killick.cli.platform import HOST, Choice, platform_option
from killick.cli.pulling import Pulled, pull
from killick.cli.several import for_each
from killick.cli.verb import verb
from killick.names import Reference


@verb(
    "pull",
    examples="""
    killick pull alpine
    killick pull --platform linux/arm64 --platform linux/amd64 alpine:3.22
    killick pull --platform all registry.example/team/app:1.5
    killick pull registry.example/team/app@sha256:9f86d081884c…
    killick pull registry.example/team/app:1.5~1
    """,
)
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=local_names)
@platform_option(HOST, "Take this platform instead of this machine's; may be repeated.")
@click.option("-q", "--quiet", is_flag=True, help="Print only name@digest.")
@progress_option
@access_options
@click.pass_obj
def command(session: Session, references: tuple[str, ...], platforms: Choice, quiet: bool) -> None:
    """Bring images from their registries into the local store.

    What the registry holds is taken as it is, so that digests never change. A tag that moves keeps
    its past: the image it pointed to before stays as NAME:TAG~1.
    """

    def bring(text: str) -> None:
        reference = Reference.parse(text)
        if quiet:
            pulled = pull(session, reference, platforms, "none")
            click.echo(f"{reference.name}@{pulled.root.digest}")
        else:
            _announce(reference)
            _print(pull(session, reference, platforms, session.progress))

    for_each(references, bring)


def _announce(reference: Reference) -> None:
    if reference.is_bare:
        click.echo("Using default tag: latest", err=True)
    what = reference.effective_tag or reference.digest
    click.echo(f"{what}: Pulling from {reference.name.path}", err=True)


def _print(pulled: Pulled) -> None:
    named = pulled.reference
    shown = named if not named.is_bare else Reference.parse(f"{named}:latest")
    click.echo(f"Digest: {pulled.root.digest}")
    if pulled.fresh:
        click.echo(f"Status: Downloaded newer image for {shown.familiar}")
    else:
        click.echo(f"Status: Image is up to date for {shown.familiar}")
    click.echo(shown.canonical)
