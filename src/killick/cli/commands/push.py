"""`killick push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options, progress_option
from killick.cli.files import write_text
from killick.cli.platform import ALL, Choice, platform_option
from killick.cli.pushing import Pushed, push
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import NameUnknown, UsageError
from killick.names import Reference
from killick.repository import ANYTHING, Expected

if TYPE_CHECKING:
    from collections.abc import Iterator


@verb(
    "push",
    examples="""
    killick push registry.example/team/app:1.5
    killick push --all-tags registry.example/team/app
    killick push --if-absent registry.example/team/app:1.5.1
    killick push --digest-file pushed.txt registry.example/team/app:1.5
    killick push --platform linux/amd64 registry.example/team/app:1.5
    """,
)
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=local_names)
@click.option("-a", "--all-tags", is_flag=True, help="Push every local tag of the repositories.")
@click.option("--if-digest", metavar="DIGEST", help="Move the tag only if it points there now.")
@click.option("--if-absent", is_flag=True, help="Push only if the registry has no such tag.")
@click.option(
    "--digest-file", type=click.Path(path_type=Path), help="Write the digests here, one a line."
)
@platform_option(ALL, "Push the image for just this platform, under its own digest.")
@progress_option
@access_options
@click.pass_obj
def command(
    session: Session,
    /,
    references: tuple[str, ...],
    platforms: Choice,
    digest_file: Path | None,
    **conditions: str | bool | None,
) -> None:
    """Send images from the local store to their registries.

    Prints `TAG: digest: sha256:… size: N` for each. Blobs that the registry has are not sent again;
    the tag moves last, so it never names half an image.
    """
    every = bool(conditions["all_tags"])
    expected = _expected(conditions)
    digests = []
    for reference in _chosen(session, references, every=every):
        click.echo(f"The push refers to repository [{reference.name}]", err=True)
        pushed = push(session, reference, platforms, expected)
        digests.append(f"{pushed.root.digest}\n")
        click.echo(_line(pushed))
    if digest_file is not None:
        write_text(digest_file, "".join(digests))


def _chosen(session: Session, texts: tuple[str, ...], *, every: bool) -> Iterator[Reference]:
    parsed = [Reference.parse(text) for text in texts]
    if not every:
        yield from parsed
        return
    for reference in parsed:
        if not reference.is_bare:
            raise UsageError(f"{reference} has a tag or a digest, and --all-tags takes neither")
    for reference in parsed:
        tags = list(session.store.repository(str(reference.name)).tags())
        if not tags:
            raise NameUnknown(f"no tag of {reference} is here", hint="see killick images")
        yield from (Reference(reference.name, tag) for tag in tags)


def _expected(conditions: dict[str, str | bool | None]) -> Expected:
    digest = conditions["if_digest"]
    if digest and conditions["if_absent"]:
        raise UsageError("--if-digest and --if-absent exclude each other")
    if conditions["if_absent"]:
        return None
    return Digest.parse(str(digest)) if digest else ANYTHING


def _line(pushed: Pushed) -> str:
    what = pushed.tag or str(pushed.root.digest)
    return f"{what}: digest: {pushed.root.digest} size: {pushed.root.size}"
