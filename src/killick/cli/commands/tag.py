"""`killick tag`."""

from __future__ import annotations

import click

from killick.cli.closure import held_platforms
from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.local import find_image
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.names import Reference
from killick.repository import Cause
from killick.transfer import Options, copy


@verb(
    "tag",
    examples="""
    killick tag golftrack:1.5 registry.example/team/golftrack:1.5
    killick tag golftrack:1.5~1 golftrack:before-the-fix
    killick tag sha256:9f86d081884c golftrack:1.4
    """,
)
@click.argument("source", metavar="SRC", shell_complete=local_names)
@click.argument("target", metavar="DST")
@click.pass_obj
def command(session: Session, source: str, target: str) -> None:
    """Give an image another name, or move a name to another image.

    SRC is a local name, the past of one, or a digest. What DST pointed to before stays as DST~1.
    """
    named = Reference.parse(target)
    tag = named.effective_tag
    if tag is None or named.digest is not None or named.travels:
        raise UsageError(f"{target!r} can't be given: a new name is NAME[:TAG]")
    store = session.store
    found = find_image(session, source, store)
    there = store.repository(str(named.name))
    if there.name != found.repository.name:
        own = found.repository.name
        options = Options(
            platforms=held_platforms(found.repository, found.descriptor),
            sisters=lambda _: (own,),
        )
        copy(found.repository, there, found.descriptor, None, options)
    there.move(tag, found.descriptor.plain(), Cause("tagged", session.actor))
