"""`killick tags`: the tags of a repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import click

from killick.cli.completing import local_repositories
from killick.cli.context import Session, access_options
from killick.cli.output import Listing, Style, format_options
from killick.cli.verb import verb
from killick.digest import Digest
from killick.names import Name, Tag
from killick.repository import Repository

_LISTING = Listing(
    {"Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST"}, ("Tag", "Digest"), "Tag"
)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Line:
    name: Name
    tag: Tag
    digest: Digest | None

    def fields(self) -> Mapping[str, str]:
        return {
            "Repository": self.name.familiar,
            "Tag": self.tag,
            "Digest": str(self.digest) if self.digest else "",
        }

    def document(self) -> Mapping[str, object]:
        digest = str(self.digest) if self.digest else None
        return {"Repository": self.name.familiar, "Tag": self.tag, "Digest": digest}


@verb(
    "tags",
    examples="""
    killick tags debian
    killick tags --digests -n 10 registry.example:5000/golftrack
    killick tags --format '{{.Repository}}:{{.Tag}}@{{.Digest}}' golftrack
    """,
)
@click.argument("repository", metavar="REPO", shell_complete=local_repositories)
@click.option("--digests", is_flag=True, help="Also what each tag points to (one request a tag).")
@click.option("-n", "most", type=click.IntRange(min=0), metavar="N", help="At most N tags.")
@click.option("--local", is_flag=True, help="Ask the local store instead of the registry.")
@format_options()
@access_options
@click.pass_obj
def command(
    session: Session, /, repository: str, style: Style, most: int | None, **how: bool
) -> None:
    """List the tags of a repository, one a line, as its registry has them now."""
    name = Name.parse(repository)
    place: Repository = session.remote(name)
    if how["local"]:
        place = session.reading.repository(str(name))
    tags = islice(place.tags(), most)
    if how["digests"] or ".Digest" in (style.form or ""):
        _LISTING.show(_resolved(place, name, tags), style)
    else:
        plain = Style(style.form, style.no_trunc, quiet=True)
        _LISTING.show((_Line(name, tag, None) for tag in tags), plain)


def _resolved(place: Repository, name: Name, tags: Iterator[Tag]) -> Iterator[_Line]:
    """Yield the tags with their digests; several are asked for at a time, a batch after another."""
    with ThreadPoolExecutor(_AT_ONCE, "tags") as pool:
        while batch := list(islice(tags, 4 * _AT_ONCE)):
            digests = pool.map(lambda tag: place.resolve(tag).digest, batch)
            yield from map(_Line, [name] * len(batch), batch, digests)
