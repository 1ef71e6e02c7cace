"""`killick import`."""

from __future__ import annotations

import click

from killick.cli.context import Session
from killick.cli.files import open_input
from killick.cli.platform import parsed
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.names import Reference
from killick.platforms import Platform
from killick.repository import Cause
from killick.rootfs import import_rootfs


@verb(
    "import",
    examples="""
    killick import root.tar golftrack:1.5
    tar -C root -c . | killick import - golftrack:1.5
    killick import --platform linux/arm64 --change 'CMD ["/bin/sh"]' root.tar.zst golftrack:1.5
    """,
)
@click.argument("archive", metavar="TAR")
@click.argument("name", metavar="NAME")
@click.option("--platform", metavar="OS/ARCH[/VARIANT]", help="What it runs on (default: here).")
@click.option(
    "-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="As in a Dockerfile."
)
@click.pass_obj
def command(
    session: Session, archive: str, name: str, platform: str | None, changes: tuple[str, ...]
) -> None:
    """Make an image of one layer from the tar of a root file system (- for stdin).

    The tar may be compressed. Prints the digest of the new image.
    """
    reference = Reference.parse(name)
    tag = reference.effective_tag
    if tag is None or reference.digest is not None or reference.travels:
        raise UsageError(f"{name!r} can't be given: a new name is NAME[:TAG]")
    wanted = parsed(platform) or Platform.host()
    repository = session.store.repository(str(reference.name))
    with open_input(archive) as source:
        root = import_rootfs(source, repository, wanted, changes, session.now)
    repository.move(tag, root, Cause("imported", session.actor))
    click.echo(str(root.digest))
