"""`killick log`: what tags pointed to, when, and who moved them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from typing import Any

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.heads import check_ledger
from killick.cli.human import familiar
from killick.cli.loading import ARCHIVE
from killick.cli.output import Listing, Style, format_options
from killick.cli.past import told_history
from killick.cli.printing import one_line
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import TagUnknown, Unsupported, UsageError
from killick.moments import parse_moment, rfc3339
from killick.names import Reference
from killick.repository import Move, Presences

_LISTING = Listing(
    {
        "Time": "TIME",
        "Tag": "TAG",
        "Digest": "DIGEST",
        "Previous": "WAS",
        "Kind": "HOW",
        "Actor": "WHO",
        "Source": "SOURCE",
        "Repository": "REPOSITORY",
        "Change": "CHANGE",
        "Content": "CONTENT",
    },
    ("Time", "Tag", "Digest", "Previous", "Kind", "Actor", "Source"),
)
_NOTHING = "-"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class _Line:
    move: Move
    full: bool

    def fields(self) -> Mapping[str, str]:
        move = self.move
        return {
            "Time": f"{move.time:%Y-%m-%dT%H:%M:%SZ}",
            "Tag": move.tag,
            "Digest": self._shown(move.to.digest if move.to else None),
            "Previous": self._shown(move.previous),
            "Kind": _how(move),
            "Change": move.change,
            "Content": move.content or _NOTHING,
            "Actor": one_line(move.cause.actor) or _NOTHING,
            "Source": "authoritative" if move.cause.authoritative else "observed",
            "Repository": familiar(move.repository),
        }

    def _shown(self, digest: Digest | None) -> str:
        if digest is None:
            return _NOTHING
        return str(digest) if self.full else digest.short

    def document(self) -> Mapping[str, object]:
        move = self.move
        return {
            "time": rfc3339(move.time),
            "repository": familiar(move.repository),
            "tag": move.tag,
            "digest": str(move.to.digest) if move.to else None,
            "previous": str(move.previous) if move.previous else None,
            "actor": move.cause.actor or None,
            "kind": move.cause.kind,
            "authoritative": move.cause.authoritative,
            "origin": move.cause.origin,
            "change": move.change,
            "content": move.content,
            "overriding": move.cause.overriding,
        }


def _how(move: Move) -> str:
    """Return how a tag moved, and what people should know of that."""
    notes = [
        *(["overriding"] if move.cause.overriding else []),
        *(["content removed"] if move.content == "removed" else []),
    ]
    words = move.cause.kind.replace("-", " ")
    return f"{words} ({', '.join(notes)})" if notes else words


@verb(
    "log",
    examples="""
    killick log golftrack                    # every move of every tag, newest first
    killick log -n 5 golftrack:1.5
    killick log --since '2 weeks ago' --json golftrack:1.5 | jq -r .digest
    killick log --observed debian:stable     # what Docker Hub's tag was seen to be, from here
    killick log --remote registry.example:5000/golftrack:1.5
    """,
)
@click.argument("reference", metavar="REPO[:TAG]", shell_complete=local_names)
@click.option("-n", "most", type=click.IntRange(min=0), metavar="N", help="At most N moves.")
@click.option("--since", metavar="TIME", help="Only moves since then: 2026-11-01, '2 hours ago'.")
@click.option(
    "--observed", is_flag=True, help="What was seen of the registry's tags, and told by archives."
)
@click.option("--remote", is_flag=True, help="Ask the registry for the history that it keeps.")
@click.option(
    "--accept", is_flag=True, help="With --remote: take its history, whatever was seen before."
)
@format_options(no_trunc=True)
@access_options
@click.pass_obj
def command(session: Session, /, reference: str, style: Style, **chosen: Any) -> None:  # noqa: ANN401 - options, by name
    """Show how tags moved: when, to which digest, from which, how, and who did it.

    By default these are the moves of local names, which are recorded as they happen. With --remote,
    a registry whose ledger does not go on from what was seen of it is an error.
    """
    asked = Reference.parse(reference)
    if asked.travels or asked.digest:
        raise UsageError(
            f"{reference!r} is one moment of a tag, and log shows all of them",
            hint=f"try killick log {asked.name.familiar}{f':{asked.tag}' if asked.tag else ''}",
        )
    if chosen["remote"] and chosen["observed"]:
        raise UsageError("--remote and --observed exclude each other")
    if chosen["accept"] and not chosen["remote"]:
        raise UsageError("--accept is about a registry's history", hint="add --remote")
    moves = _recorded(asked, _moves(session, asked, **chosen))
    if chosen["since"]:
        since = parse_moment(chosen["since"], session.now)
        moves = (move for move in moves if move.time >= since)
    _LISTING.show((_Line(move, style.no_trunc) for move in islice(moves, chosen["most"])), style)
    if chosen["remote"]:
        check_ledger(session, asked.name, accept=chosen["accept"])


def _moves(session: Session, asked: Reference, **chosen: Any) -> Iterator[Move]:  # noqa: ANN401 - options, by name
    """Return the moves of a series, newest first.

    Raises:
        Unsupported: the registry was to be asked, and does not announce that it tells them.
    """
    name = asked.name
    if chosen["remote"]:
        told = told_history(session, name)
        if told is None:
            raise Unsupported(
                f"{name.domain} does not announce that it tells the history of its tags",
                side="remote",
                hint=f"killick log --observed {asked} shows what was seen of it from here",
            )
        return told.history(asked.tag)
    repository = session.reading.repository(str(name))
    if not chosen["observed"]:
        return _with_content(repository, repository.history(asked.tag))
    seen, from_archives = (repository.history(asked.tag, o) for o in (name.domain, ARCHIVE))
    return iter(merge(seen, from_archives, key=_sequence, reverse=True))


def _with_content(repository: Presences, moves: Iterator[Move]) -> Iterator[Move]:
    """Yield the moves, each with what is left of the content that the tag was given."""
    while page := list(islice(moves, _PAGE)):
        left = repository.presence({move.to.digest for move in page if move.to is not None})
        for move in page:
            yield move if move.to is None else replace(move, content=left[move.to.digest])


def _sequence(move: Move) -> int:
    return move.sequence


def _recorded(asked: Reference, moves: Iterator[Move]) -> Iterator[Move]:
    """Yield the moves.

    Raises:
        TagUnknown: there is none.
    """
    first = next(moves, None)
    if first is None:
        raise TagUnknown(
            f"nothing is recorded about {asked}",
            hint="there are three records: the default, --observed and --remote",
        )
    yield first
    yield from moves
