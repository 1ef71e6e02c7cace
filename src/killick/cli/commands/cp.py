"""`killick cp`."""

from __future__ import annotations

import click

from killick.cli import places
from killick.cli.context import Session, access_options, progress_option
from killick.cli.copying import Job, copy_image, tags_of
from killick.cli.endpoints import Endpoint
from killick.cli.platform import ALL, Choice, platform_option
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.manifest import Descriptor
from killick.names import Tag


@verb(
    "cp",
    examples="""
    killick cp alpine:3.22 registry.example/mirror/alpine:3.22
    killick cp --all-tags registry.example/team/app backup.example/team/app
    killick cp --platform linux/amd64 alpine:3.22 oci:./alpine:3.22
    killick cp --referrers registry.example/app:1.5 oci-archive:app.tar:1.5
    killick cp oci:./build:1.5 store:app:1.5
    """,
)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("-a", "--all-tags", is_flag=True, help="Copy every tag of the repository.")
@click.option("--referrers", is_flag=True, help="Copy signatures, SBOMs and the like as well.")
@platform_option(ALL, "Copy just this platform's image; into the store, several may be given.")
@progress_option
@access_options
@click.pass_obj
def command(
    session: Session, /, source: str, target: str, platforms: Choice, **flags: bool
) -> None:
    """Copy an image from anywhere to anywhere; its digest never changes.

    SRC and DST are a reference in a registry, store:REF, oci:DIR[:TAG], oci-archive:FILE[:TAG] or
    docker-archive:FILE[:TAG]. What the target has is not sent again.
    """
    every = flags["all_tags"]
    start, end = Endpoint.parse(source), Endpoint.parse(target)
    if every and (end.tag or end.digest):
        raise UsageError(f"{target} has a tag or a digest, and --all-tags takes neither")
    origin = places.source(session, start, all_tags=every)
    chosen = platforms.wanted[0] if platforms.wanted else None
    with places.target(session, end, chosen) as there:
        job = Job(origin, end, there, platforms.wanted, flags["referrers"])
        if origin.root is not None:
            _print(end.target_tag, copy_image(session, job, origin.root, end.target_tag))
            return
        for tag in tags_of(origin):
            _print(tag, copy_image(session, job, origin.repository.resolve(tag), tag))


def _print(tag: Tag | None, root: Descriptor) -> None:
    click.echo(f"{tag or root.digest}: digest: {root.digest} size: {root.size}")
