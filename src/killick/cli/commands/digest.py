"""`killick digest`: what a tag points to."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.looking import find
from killick.cli.platform import parsed
from killick.cli.printing import write
from killick.cli.several import for_each
from killick.cli.variants import variant
from killick.cli.verb import verb


@verb(
    "digest",
    examples="""
    killick digest alpine                              # what alpine:latest is, right now
    killick digest --platform linux/arm64 alpine       # its image for one platform
    killick digest registry.example:5000/golftrack:1.5 registry.example:5000/golftrack:1.6
    killick digest --local golftrack:1.5~1             # what the local tag meant before
    """,
)
@click.argument("references", nargs=-1, required=True, metavar="REF...", shell_complete=local_names)
@click.option("--platform", metavar="OS/ARCH", help="The digest of the image for this platform.")
@click.option("--local", is_flag=True, help="Ask the local store instead of the registry.")
@access_options
@click.pass_obj
def command(
    session: Session, references: tuple[str, ...], platform: str | None, local: bool
) -> None:
    """Print the digest of images, one a line, as their registries tell it now.

    No image is downloaded.
    """
    wanted = parsed(platform)

    def show(text: str) -> None:
        found = find(session, text, local=local)
        digest = found.descriptor.digest
        if wanted:
            digest = variant(found.repository, found.descriptor, wanted).manifest.digest
        write([str(digest)])

    for_each(references, show)
