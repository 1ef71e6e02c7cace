"""`killick rollback`."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from killick import travel
from killick.cli.context import Session
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import UsageError
from killick.names import Reference
from killick.repository import Cause


@verb(
    "rollback",
    examples="""
    killick rollback golftrack:1.5
    killick rollback golftrack:1.5 --to ~2
    killick rollback golftrack:1.5 --to sha256:9f86d081884c…
    """,
)
@click.argument("reference", metavar="REF")
@click.option("--to", "goal", default="~1", metavar="DIGEST|~N", help="Where to (default: ~1).")
@click.pass_obj
def command(session: Session, reference: str, goal: str) -> None:
    """Move a local tag back to what it pointed to before.

    It moves only from where it was found, so that a move by somebody else meanwhile is not lost.
    The ledger records the move; nothing is removed.
    """
    named = Reference.parse(reference)
    tag = named.effective_tag
    if tag is None or named.digest is not None or named.travels:
        raise UsageError(f"{reference!r} is not NAME[:TAG]", hint="say where to by --to")
    repository = session.store.repository(str(named.name))
    before = repository.resolve(tag)
    target = travel.resolve(repository, _goal(named, goal), session.now)
    cause = Cause("rolled-back", session.actor)
    moved = repository.move(tag, target.plain(), cause, before.digest)
    shown = f"{named.name.familiar}:{tag}"
    if moved is None:
        click.echo(f"{shown} already points to {target.digest}")
    else:
        click.echo(f"{shown} rolled back: {before.digest} → {target.digest}")


def _goal(named: Reference, text: str) -> Reference:
    if match := re.fullmatch(r"~([0-9]{1,9})", text):
        return replace(named, back=int(match[1]))
    return named.with_digest(Digest.parse(text))
