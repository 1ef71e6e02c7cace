"""`killick manifest`: the bytes of a manifest or an index."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.looking import find
from killick.cli.platform import parsed
from killick.cli.printing import write_bytes
from killick.cli.variants import variant
from killick.cli.verb import verb
from killick.transfer import fetch


@verb(
    "manifest",
    examples="""
    killick manifest alpine                            # the index, byte by byte
    killick manifest alpine | sha256sum                # the same as: killick digest alpine
    killick manifest --platform linux/amd64 alpine     # the manifest of one image in it
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@click.option("--platform", metavar="OS/ARCH", help="The manifest for this platform.")
@click.option("--local", is_flag=True, help="Ask the local store instead of the registry.")
@access_options
@click.pass_obj
def command(session: Session, reference: str, platform: str | None, local: bool) -> None:
    """Print a manifest or an index exactly as it is: these bytes are what the digest is of."""
    wanted = parsed(platform)
    found = find(session, reference, local=local)
    if wanted is not None:
        chosen = variant(found.repository, found.descriptor, wanted)
        write_bytes(chosen.manifest.raw)
    else:
        write_bytes(fetch(found.repository, found.descriptor).raw)
