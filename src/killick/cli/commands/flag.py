"""`killick flag`: say how an image stands to a vulnerability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.printing import note
from killick.cli.verb import verb
from killick.errors import UsageError
from killick.knowledge import FLAGGED, Advisory
from killick.openvex import JUSTIFICATIONS, MOST_ID_CHARACTERS, STATUSES, Say, compose

if TYPE_CHECKING:
    from killick.cli.flagging import Meant
    from killick.openvex import Justification, Status, Vex

_CHOICES = tuple(status for status in STATUSES)


@verb(
    "flag",
    examples="""
    killick flag golftrack:1.5~1 --id CVE-2026-1234 --fixed-by golftrack:1.5
    killick flag golftrack@sha256:9f86d081884c… --id CVE-2026-1234 --note 'not holes' --push
    killick flag golftrack:1.4 --id CVE-2026-1234 --status not_affected \\
        --justification vulnerable_code_not_present
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@click.option("--id", "vulnerability", required=True, metavar="CVE", help="The vulnerability.")
@click.option(
    "--status",
    type=click.Choice(_CHOICES),
    default="affected",
    show_default=True,
    help="How the image stands to it.",
)
@click.option("--fixed-by", "fix", metavar="REF", help="The image that is fixed.")
@click.option("--note", "text", metavar="TEXT", help="What to do, or why; for people.")
@click.option("--justification", type=click.Choice(JUSTIFICATIONS), help="Why it is not affected.")
@click.option("--push", is_flag=True, help="Also attach it to the image in its registry.")
@access_options
@click.pass_obj
def command(session: Session, /, reference: str, vulnerability: str, **chosen: Any) -> None:  # noqa: ANN401 - options, by name
    """Say that an image, by its digest, is affected by a vulnerability, fixed, or not affected.

    It is kept as an OpenVEX document in the store. What is said of an index covers the images of
    all its platforms.
    """
    from killick.cli.flagging import find_meant, learn, push

    if not vulnerability.strip() or len(vulnerability) > MOST_ID_CHARACTERS:
        raise UsageError(f"--id names the vulnerability in at most {MOST_ID_CHARACTERS} characters")
    status = cast("Status", chosen["status"])
    if chosen["fix"] and status != "affected":
        raise UsageError("--fixed-by goes with --status affected")
    if status == "not_affected" and not (chosen["text"] or chosen["justification"]):
        raise UsageError(
            "why it is not affected has to be said", hint="by --justification, or --note"
        )
    if chosen["justification"] and status != "not_affected":
        raise UsageError("--justification goes with --status not_affected")
    image = find_meant(session, reference)
    fix = find_meant(session, chosen["fix"]) if chosen["fix"] else None
    if fix is not None and fix.digest == image.digest:
        raise UsageError(f"{reference} and {chosen['fix']} are the same image, {fix.digest}")
    vex = _composed(session, vulnerability, (image, fix), (status, chosen))
    session.store.advise(Advisory(vex, FLAGGED))
    learn(session, [image, fix] if fix else [image])
    click.echo(f"{image.digest}: {status.replace('_', ' ')} {vulnerability}")
    if fix is not None:
        click.echo(f"{fix.digest}: fixed {vulnerability}")
    if chosen["push"]:
        for each in (image, fix) if fix else (image,):
            attached = push(session, each, vex)
            note(f"attached to {each.name.familiar}@{each.digest} as {attached.digest}")


def _composed(
    session: Session,
    vulnerability: str,
    images: tuple[Meant, Meant | None],
    stated: tuple[Status, dict[str, Any]],
) -> Vex:
    (image, fix), (status, chosen) = images, stated
    text, justification = chosen["text"], cast("Justification | None", chosen["justification"])
    if fix is not None and not text:
        text = f"Replace it by {fix.name.familiar}@{fix.digest}."
    said = [Say(image.name, image.digest, status, text, justification)]
    if fix is not None:
        said.append(Say(fix.name, fix.digest, "fixed"))
    return compose(vulnerability, said, session.actor, session.now)
