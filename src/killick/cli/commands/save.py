"""`killick save`."""

from __future__ import annotations

import click

from killick.cli.closure import held_platforms
from killick.cli.completing import local_names
from killick.cli.context import Session, progress_option
from killick.cli.files import archive_output
from killick.cli.local import Local, find_image
from killick.cli.printing import note
from killick.cli.progress import COPY, display
from killick.cli.verb import verb
from killick.layout import ArchiveWriter
from killick.names import Tag
from killick.platforms import Platform
from killick.transfer import Options, copy


@verb(
    "save",
    examples="""
    killick save golftrack:1.5 -o golftrack.tar
    killick save golftrack:1.5 golftrack:1.4 | ssh other killick load
    killick save --type docker-archive golftrack:1.5 -o for-old-docker.tar
    """,
)
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=local_names)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to (default: stdout).")
@click.option(
    "--type",
    "form",
    type=click.Choice(["oci-archive", "docker-archive"]),
    default="oci-archive",
    help="docker-archive can also be loaded by Docker before version 25.",
)
@progress_option
@click.pass_obj
def command(session: Session, references: tuple[str, ...], output: str, form: str) -> None:
    """Write local images to an archive: an OCI image layout in a tar.

    Tags, digests and the ledger of the tags travel along. An image of which only some platforms are
    here is saved as far as it is.
    """
    images = [find_image(session, text) for text in references]
    docker = Platform.host() if form == "docker-archive" else None
    with archive_output(output) as path, ArchiveWriter(path, docker) as archive:
        for image in images:
            _save(session, image, archive)


def _save(session: Session, image: Local, archive: ArchiveWriter) -> None:
    platforms = held_platforms(image.repository, image.descriptor)
    if platforms is not None:
        held = ", ".join(map(str, platforms))
        note(f"{image.reference or image.descriptor.digest}: only {held} is here, and is saved")
    tag = _tag(image)
    with display(session.progress, COPY) as shown:
        # One at a time, so that the same images make the same archive, byte by byte.
        options = Options(platforms=platforms, jobs=1, progress=shown)
        target = archive.repository(image.repository.name)
        copy(image.repository, target, image.descriptor, tag, options)
    if tag is not None:
        archive.record(image.repository.history(tag))


def _tag(image: Local) -> Tag | None:
    reference = image.reference
    return None if reference is None or reference.travels else reference.effective_tag
