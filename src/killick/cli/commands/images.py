"""`killick images`: what the local store has, by tag and digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

from killick.cli import human
from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.image_filters import shown_tag, wanted
from killick.cli.output import NONE, Listing, Style, format_options
from killick.cli.verb import verb
from killick.moments import rfc3339
from killick.platforms import Platform

if TYPE_CHECKING:
    from killick.store import ImageRow

_LISTING = Listing(
    {
        "Repository": "REPOSITORY",
        "Tag": "TAG",
        "Digest": "DIGEST",
        "ID": "IMAGE ID",
        "CreatedSince": "CREATED",
        "Size": "SIZE",
        "CreatedAt": "CREATED AT",
        "Current": "CURRENT",
    },
    ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"),
    "ID",
)


@dataclass(frozen=True, slots=True)
class _Line:
    row: ImageRow
    now: datetime
    full: bool

    def fields(self) -> Mapping[str, str]:
        row = self.row
        created = _created(row.created)
        return {
            "Repository": human.familiar(row.repository),
            "Tag": shown_tag(row) or NONE,
            "Digest": str(row.descriptor.digest),
            "ID": str(row.image_id) if self.full else row.image_id.short,
            "CreatedSince": human.ago(created, self.now),
            "Size": human.size(row.size) + ("" if row.complete else " (incomplete)"),
            "CreatedAt": human.timestamp(created),
            "Current": "true" if row.back == 0 else "false",
        }

    def document(self) -> Mapping[str, object]:
        row = self.row
        created = _created(row.created)
        return {
            "Repository": human.familiar(row.repository),
            "Tag": row.tag,
            "Digest": str(row.descriptor.digest),
            "ID": str(row.image_id),
            "CreatedAt": created and rfc3339(created),
            "Size": row.size,
            "Current": row.back == 0,
            "Complete": row.complete,
            "Back": row.back,
            "MediaType": row.descriptor.media_type,
        }


_created = lru_cache(maxsize=4096)(human.parse_created)


@verb(
    "images",
    examples="""
    killick images                        # every tag, and the digest that it means now
    killick images -a golftrack           # also what its tags used to mean: 1.5~1, 1.5~2, ...
    killick images --filter reference='*/golftrack:1.*' --filter since=golftrack:1.4
    killick images --format '{{.Repository}}:{{.Tag}}@{{.Digest}}'
    killick images --json | jq -r 'select(.Size > 1e9) | .Digest'
    """,
)
@click.argument("pattern", metavar="[REPO[:TAG]]", required=False, shell_complete=local_names)
@click.option("-a", "--all", "past", is_flag=True, help="Also what tags used to point to.")
@click.option("--digests", is_flag=True, help="Show digests (always done; docker's flag).")
@click.option(
    "-f",
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only images that fit: reference, before, since, label, dangling.",
)
@click.option("--tree", is_flag=True, help="Show the platforms of each image below it.")
@format_options(no_trunc=True, quiet="Only print image IDs.")
@click.pass_obj
def command(session: Session, /, style: Style, *, tree: bool, **chosen: Any) -> None:  # noqa: ANN401 - options, by name
    """List local images: one row for each tag and the digest that it truly points to.

    The image ID is the digest of the config for this machine's platform, as in docker.
    """
    test = wanted(session, chosen["pattern"], chosen["filters"])
    rows = session.reading.images(Platform.host(), past=chosen["past"])
    fitting = (row for row in rows if test(row))
    if tree and style.form is None and not style.quiet:
        from killick.cli.image_tree import show_tree

        show_tree(session.reading, fitting, style)
    else:
        _LISTING.show(_lines(fitting, session.now, full=style.no_trunc), style)


def _lines(rows: Iterable[ImageRow], now: datetime, *, full: bool) -> Iterator[_Line]:
    return (_Line(row, now, full) for row in rows)
