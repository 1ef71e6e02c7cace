"""`killick where`: which containers run which of the images that a tag pointed to."""

from __future__ import annotations

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.engines import host_options
from killick.cli.errors import FOUND_SOMETHING
from killick.cli.output import Style, fitted, format_options, show_document
from killick.cli.verb import verb
from killick.names import Reference


@verb(
    "where",
    examples="""
    killick where golftrack:1.5
    killick where golftrack:1.5 --explain            # how each container's image was found out
    killick where golftrack:1.5~1                    # only what the tag pointed to before
    killick where debian:12 --derived                # also what is built on it
    killick where golftrack:1.5 --fail-on affected   # exit status 3 if any container is
    killick where golftrack:1.5 --host file://inventory.json --offline --json
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@host_options
@click.option("--derived", is_flag=True, help="Also containers whose image is built on it.")
@click.option("--explain", is_flag=True, help="Say how each container's image was found out.")
@click.option("--offline", is_flag=True, help="Ask no registry: go by what is recorded here.")
@click.option(
    "--fail-on",
    type=click.Choice(("affected", "behind", "unknown")),
    multiple=True,
    help="Exit with status 3 if any container is this; may be repeated.",
)
@format_options()
@access_options
@click.pass_obj
def command(
    session: Session,
    /,
    reference: str,
    hosts: tuple[str, ...],
    seconds: float,
    fail_on: tuple[str, ...],
    style: Style,
    **chosen: bool,
) -> int:
    """Show every digest that a tag had, when, what is said about it, and what runs it.

    Containers are found by digests, whatever name they were started with. What is not known is
    said to be unknown. See docs/where.md.
    """
    from killick.cli.fleet_view import matches, where_all
    from killick.cli.gathering import gather
    from killick.cli.knowing import Knowing, find_past
    from killick.cli.where_report import WhereReport

    session.hurry = seconds
    asked = Reference.parse(reference)
    knowing = Knowing(session, offline=chosen["offline"])
    past, chosen_digest = find_past(knowing, asked, session.now)
    seen = gather(session, hosts, seconds)
    report = where_all(knowing, session, past, seen, derived=chosen["derived"])
    if chosen_digest is not None:
        report = report.only(chosen_digest)
    shown = WhereReport(report, knowing.lore, knowing.advice(), explain=chosen["explain"])
    show_document(shown.document(), style, fitted(shown.lines()))
    found = any(matches(judged, fail_on) for judged in report.all)
    return FOUND_SOMETHING if found or (shown.has_affected_base and "affected" in fail_on) else 0
