"""`killick what`: any digest, explained."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from killick.cli.context import Session, access_options
from killick.cli.engines import host_options
from killick.cli.output import Style, fitted, format_options, show_document
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import BadDigest, ManifestUnknown, NotFound, UsageError

if TYPE_CHECKING:
    from killick.observation import Snapshot

_PREFIX = re.compile(r"(?:sha256:|sha512:)?[0-9a-f]{6,128}")


@verb(
    "what",
    examples="""
    killick what sha256:2e958b9fc057477ac39e6f9c1bc3e66cd11434d8f061af538d273ebcd30af6c3
    killick what 2e958b9fc057             # as docker ps shows image IDs
    killick what 2e958b9fc057 --json
    """,
)
@click.argument("digest", metavar="DIGEST")
@host_options
@format_options()
@access_options
@click.pass_obj
def command(
    session: Session, digest: str, hosts: tuple[str, ...], seconds: float, style: Style
) -> None:
    """Explain a digest: what it is, the images it stands in, the tags that point or pointed to it.

    Any digest will do: an index's, a manifest's, a config's (an image ID), a layer's or its diff
    ID; or its first six or more digits, if no other begins so. It need not be here.
    """
    from killick.cli.explaining import Explained, runs_it
    from killick.cli.knowing import Knowing
    from killick.fleet.view import View

    knowing = Knowing(session, offline=True)
    found = _find(session, digest)
    seen = _seen(session, hosts, seconds)
    view = View(knowing.lore, knowing.advice(), knowing.past)
    looked = [view.look(s, c) for s in seen or () for c in s.containers]
    running = [s for s in looked if runs_it(knowing.lore, found, s.running)]
    known = session.reading.lookup(str(found))
    explained = Explained(
        knowing.lore,
        found,
        knowing.lore.node(found),
        known[0].repositories if known else (),
        view.advice.about(found),
        [view.by_its_own_tag(each) for each in running],
        seen is not None,
    )
    if explained.node is None and not known and not running:
        raise ManifestUnknown(
            f"nothing is known of {found}",
            hint="killick pull NAME@DIGEST brings it, if a registry has it",
        )
    show_document(explained.document(), style, fitted(explained.lines()))


def _find(session: Session, text: str) -> Digest:
    """Return the digest that `text` is, or begins.

    Raises:
        BadDigest: it is neither.
        ManifestUnknown: nothing that is known begins so.
        UsageError: several do.
    """
    if not _PREFIX.fullmatch(text):
        raise BadDigest(
            f"{text!r} is no digest, nor the beginning of one",
            hint="write six or more of its hexadecimal digits",
        )
    try:
        return Digest.parse(text if ":" in text else f"sha256:{text}")
    except BadDigest:
        pass
    store = session.reading
    found = dict.fromkeys(
        [*store.recognise(text), *(known.descriptor.digest for known in store.lookup(text))]
    )
    if len(found) > 1:
        listed = ", ".join(str(digest) for digest in list(found)[:5])
        raise UsageError(f"{text!r} is the beginning of {len(found)} digests", hint=listed)
    if not found:
        raise ManifestUnknown(f"nothing is known that begins with {text}", hint="write more of it")
    return next(iter(found))


def _seen(session: Session, hosts: tuple[str, ...], seconds: float) -> list[Snapshot] | None:
    """Return what engines run; None where there is none to ask."""
    from killick.cli.commands.ps import tell_failures
    from killick.cli.gathering import gather

    try:
        seen = gather(session, hosts, seconds)
    except NotFound:
        if hosts:
            raise
        return None
    tell_failures(seen)
    return seen
