"""`killick rollback`."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from killick import travel
from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.past import kept
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import Unsupported, UsageError
from killick.names import Reference, Tag
from killick.repository import Cause

Moved = tuple[Digest | None, Digest]
"""What a tag pointed to before (None: it was removed), and points to now."""


@verb(
    "rollback",
    examples="""
    killick rollback golftrack:1.5
    killick rollback golftrack:1.5 --to ~2
    killick rollback golftrack:1.5 --to sha256:9f86d081884c…
    killick rollback --remote registry.example:5000/golftrack:1.5
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@click.option("--to", "goal", default="~1", metavar="DIGEST|~N", help="Where to (default: ~1).")
@click.option("--remote", is_flag=True, help="Move the tag in its registry, by its own history.")
@access_options
@click.pass_obj
def command(session: Session, reference: str, goal: str, remote: bool) -> None:
    """Move a tag back to what it pointed to before: a local one, or (--remote) a registry's.

    It moves only from where it was found, so that a move by somebody else meanwhile is not lost.
    The ledger records the move; nothing is removed.
    """
    named = Reference.parse(reference)
    tag = named.effective_tag
    if tag is None or named.digest is not None or named.travels:
        raise UsageError(f"{reference!r} is not NAME[:TAG]", hint="say where to by --to")
    before, after = (_remote if remote else _local)(session, named, tag, _goal(named, goal))
    shown = f"{named.name.familiar}:{tag}"
    if before == after:
        click.echo(f"{shown} already points to {after}")
    else:
        click.echo(f"{shown} rolled back: {before or 'nothing'} → {after}")


def _local(session: Session, named: Reference, tag: Tag, goal: Reference) -> Moved:
    """Move the local tag, which may have been removed."""
    repository = session.store.repository(str(named.name))
    before = travel.standing(repository, tag)
    target = travel.resolve(repository, goal, session.now)
    repository.move(tag, target.plain(), Cause("rolled-back", session.actor), before)
    return before, target.digest


def _remote(session: Session, named: Reference, tag: Tag, goal: Reference) -> Moved:
    """Move the registry's tag, which may have been removed.

    Raises:
        Unsupported: the registry does not announce that it can.
        TagUnknown: its history does not go back so far.
    """
    name = named.name
    registry = session.registry(name.domain)
    try:
        ledger = registry.ledger(name.path)
    except Unsupported as error:
        hint = f"killick cp {name.familiar}@DIGEST {name.familiar}:{tag} moves it unconditionally"
        raise Unsupported(error.message, side="remote", hint=hint) from None
    before = travel.standing(registry.repository(name.path), tag)
    target = goal.digest or kept(ledger, goal, session.now).digest
    if before != target:
        ledger.roll_back(tag, target, before)
    return before, target


def _goal(named: Reference, text: str) -> Reference:
    if match := re.fullmatch(r"~([0-9]{1,9})", text):
        return replace(named, back=int(match[1]))
    return named.with_digest(Digest.parse(text))
