"""`killick rmi`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.human import familiar
from killick.cli.local import Local, find_image
from killick.cli.several import for_each
from killick.cli.verb import verb
from killick.errors import Conflict, UsageError
from killick.names import DEFAULT_TAG, Tag
from killick.repository import Cause

if TYPE_CHECKING:
    from killick.digest import Digest
    from killick.store import Store


@verb(
    "rmi",
    examples="""
    killick rmi golftrack:1.4
    killick rmi --purge golftrack:1.5
    killick rmi --force sha256:9f86d081884c
    killick rmi golftrack@sha256:9f86d081884c…
    """,
)
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=local_names)
@click.option("-f", "--force", is_flag=True, help="By digest: remove every name that it has.")
@click.option("--purge", is_flag=True, help="Keep nothing of what the tag used to point to.")
@click.pass_obj
def command(session: Session, references: tuple[str, ...], force: bool, purge: bool) -> None:
    """Remove names of local images.

    The ledger remembers them, and for 90 days the content stays as NAME:TAG~1; `killick gc` frees
    the space then. With --purge it goes at once.
    """

    def remove(text: str) -> None:
        found = find_image(session, text, session.store)
        if found.reference is not None and found.reference.digest is None:
            _remove_tag(session, found, purge=purge)
        else:
            _remove_digest(session, found, force=force)

    for_each(references, remove)
    if purge:
        for gone in session.store.collect(purge=True).removed:
            click.echo(f"Deleted: {gone.digest}")


def _remove_tag(session: Session, found: Local, *, purge: bool) -> None:
    reference = found.reference
    if reference is None or reference.travels:
        raise UsageError(
            f"{reference} is the past, which can't be removed one by one",
            hint="remove the tag with --purge, or the image by its digest",
        )
    tag = reference.effective_tag or Tag(DEFAULT_TAG)
    found.repository.move(tag, None, Cause("deleted", session.actor))
    if purge:
        session.store.purge(found.repository.name, tag)
    click.echo(f"Untagged: {reference.name.familiar}:{tag}")


def _remove_digest(session: Session, found: Local, *, force: bool) -> None:
    """Remove an image by its digest: from the repository that was named, else from all."""
    digest = found.descriptor.digest
    if found.reference is not None:
        places = [found.repository.name]
    else:
        places = list(session.store.lookup(str(digest))[0].repositories)
    names = [(place, tag) for place in places for tag in _tags(session.store, place, digest)]
    if names and not force:
        listed = ", ".join(_shown(place, tag) for place, tag in names[:5])
        raise Conflict(
            f"{digest} has names that still point to it: {listed}",
            hint="remove those, or use --force",
        )
    for place in places:
        # This removes the names as well, with their entries in the ledger.
        session.store.repository(place).delete(found.descriptor)
    for place, tag in names:
        click.echo(f"Untagged: {_shown(place, tag)}")
    for place in places:
        click.echo(f"Untagged: {familiar(place)}@{digest}")


def _tags(store: Store, place: str, digest: Digest) -> list[Tag]:
    repository = store.repository(place)
    return [tag for tag in repository.tags() if repository.resolve(tag).digest == digest]


def _shown(place: str, tag: Tag) -> str:
    return f"{familiar(place)}:{tag}"
