"""`killick flags`: what is said about vulnerabilities in images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.output import Listing, Style, format_options
from killick.cli.printing import note, one_line
from killick.cli.verb import verb
from killick.errors import ContentError, KillickError
from killick.knowledge import Advisory
from killick.moments import rfc3339
from killick.openvex import MOST_BYTES, Statement, parse

if TYPE_CHECKING:
    from killick.digest import Digest

_LISTING = Listing(
    {
        "Digest": "DIGEST",
        "ID": "ID",
        "Status": "STATUS",
        "Time": "TIME",
        "Source": "SOURCE",
        "Author": "AUTHOR",
        "Note": "NOTE",
    },
    ("Digest", "ID", "Status", "Time", "Source", "Note"),
)


@dataclass(frozen=True, slots=True)
class _Line:
    advisory: Advisory
    statement: Statement
    digest: Digest
    full: bool

    def fields(self) -> Mapping[str, str]:
        said = self.statement
        return {
            "Digest": str(self.digest) if self.full else self.digest.short,
            "ID": one_line(said.vulnerability),
            "Status": said.status.replace("_", " "),
            "Time": f"{said.time:%Y-%m-%dT%H:%M:%SZ}",
            "Source": one_line(self.advisory.source),
            "Author": one_line(self.advisory.vex.author),
            "Note": one_line(said.note or said.justification or "-"),
        }

    def document(self) -> Mapping[str, object]:
        said = self.statement
        return {
            "digest": str(self.digest),
            "id": said.vulnerability,
            "aliases": list(said.aliases),
            "status": said.status,
            "time": rfc3339(said.time),
            "source": self.advisory.source,
            "author": self.advisory.vex.author,
            "document": self.advisory.vex.identifier,
            "justification": said.justification,
            "note": said.note,
        }


@verb(
    "flags",
    examples="""
    killick flags
    killick flags golftrack:1.5~1
    killick flags --import golftrack.openvex.json
    killick flags --fetch registry.example/golftrack:1.5    # what is attached to it there
    killick flags --json | jq -r 'select(.status == "affected") | .digest'
    """,
)
@click.argument("reference", metavar="REF", required=False, shell_complete=local_names)
@click.option(
    "--import",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    multiple=True,
    help="First keep the OpenVEX document in FILE; may be repeated.",
)
@click.option("--fetch", is_flag=True, help="First keep what is attached to REF in its registry.")
@format_options(no_trunc=True)
@access_options
@click.pass_obj
def command(
    session: Session,
    /,
    reference: str | None,
    style: Style,
    **chosen: Any,  # noqa: ANN401 - options, by name
) -> None:
    """List what is said of images (of one, or of all), by digest: OpenVEX statements."""
    from killick.cli.flagging import find_meant

    for path in chosen["files"]:
        _import(session, path)
    image = find_meant(session, reference) if reference else None
    if chosen["fetch"]:
        if image is None:
            raise click.UsageError("--fetch needs REF")
        from killick.cli import attached

        for advisory in attached.read(session.remote(image.name), image.name, [image.digest]):
            session.store.advise(advisory)
    digest = image.digest if image else None
    _LISTING.show(_lines(session, digest, full=style.no_trunc), style)


def _lines(session: Session, wanted: Digest | None, *, full: bool) -> Iterator[_Line]:
    for advisory in session.reading.advisories():
        for statement in advisory.vex.statements:
            for digest in statement.products:
                if wanted in (None, digest):
                    yield _Line(advisory, statement, digest, full)


def _import(session: Session, path: Path) -> None:
    try:
        with path.open("rb") as file:
            vex = parse(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise KillickError(f"{path} can't be read ({error.strerror})", side="file") from None
    except ContentError as error:
        error.message = f"{path}: {error.message}"
        raise
    about = sum(bool(statement.products) for statement in vex.statements)
    if session.store.advise(Advisory(vex, f"file:{path.name}")):
        note(f"{path}: {about} of {len(vex.statements)} statements are about images by digest")
    else:
        note(f"{path}: version {vex.version} of {vex.identifier}, or a newer one, is kept already")
