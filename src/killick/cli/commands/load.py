"""`killick load`."""

from __future__ import annotations

import click

from killick.cli.context import Session, progress_option
from killick.cli.files import archive_input
from killick.cli.loading import load
from killick.cli.verb import verb
from killick.layout import read_archive
from killick.names import Name


@verb(
    "load",
    examples="""
    killick load -i golftrack.tar
    docker save golftrack:1.5 | killick load
    killick load -i build.tar --name registry.example/team/golftrack
    """,
)
@click.option("-i", "--input", "source", default="-", metavar="FILE", help="Default: stdin.")
@click.option("--name", help="What images are called that have only a tag in the archive.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@progress_option
@click.pass_obj
def command(session: Session, source: str, name: str | None, quiet: bool) -> None:
    """Read images from an archive into the local store.

    It may be an OCI image layout in a tar, or what docker save wrote, compressed or not.
    """
    if quiet:
        session.stated_progress = "none"
    named = Name.parse(name) if name else None
    with read_archive(archive_input(source)) as archive:
        for loaded in load(session, archive, named):
            if loaded.tag is not None:
                click.echo(f"Loaded image: {loaded.name.familiar}:{loaded.tag}")
            else:
                click.echo(f"Loaded image ID: {loaded.root.digest}")
