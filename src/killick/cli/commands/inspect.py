"""`killick inspect`: everything known about images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from killick.cli.completing import local_names
from killick.cli.context import Session, access_options
from killick.cli.human import familiar
from killick.cli.image_document import Names, image_document, sorted_names
from killick.cli.local import find_image
from killick.cli.looking import look_up
from killick.cli.output import Style, format_options, parse_template
from killick.cli.platform import parsed
from killick.cli.printing import write
from killick.cli.several import for_each
from killick.cli.template_functions import Record, to_json
from killick.cli.variants import variant
from killick.cli.verb import verb
from killick.names import Reference
from killick.platforms import Platform

if TYPE_CHECKING:
    from killick.digest import Digest


@verb(
    "inspect",
    examples="""
    killick inspect golftrack:1.5
    killick inspect -f '{{.Os}}/{{.Architecture}} {{json .Config.Cmd}}' golftrack:1.5~1
    killick inspect -f '{{range .Manifests}}{{println .Platform .Digest}}{{end}}' alpine
    killick inspect --platform linux/arm64 golftrack:1.5
    killick inspect sha256:9f86d081884c      # any digest that is held, or the beginning of one
    killick inspect --remote registry.example:5000/golftrack:1.5
    """,
)
@click.argument("references", nargs=-1, required=True, metavar="REF...", shell_complete=local_names)
@click.option("--platform", metavar="OS/ARCH", help="The image for this platform.")
@click.option("--remote", is_flag=True, help="Ask the registry instead of the local store.")
@format_options("-f", "--format")
@access_options
@click.pass_obj
def command(session: Session, /, references: tuple[str, ...], style: Style, **chosen: Any) -> None:  # noqa: ANN401 - options, by name
    """Show everything known about images: a JSON array, with docker's field names.

    Sizes are those of what is stored and sent, compressed.
    """
    wanted = parsed(chosen["platform"])
    look = _remote if chosen["remote"] else _local
    found: list[Record] = []
    try:
        for_each(references, lambda text: found.append(look(session, text, wanted)))
    finally:
        # What was found is shown, whatever became of the rest.
        _show(found, style)


def _show(documents: list[Record], style: Style) -> None:
    if style.form is None or style.form == "json":
        write([to_json(documents, None if style.form else 4)])
    elif documents:
        template = parse_template(style.form, documents[0])
        write(template.render(document) for document in documents)


def _local(session: Session, text: str, wanted: Platform | None) -> Record:
    held = find_image(session, text)
    image = variant(held.repository, held.descriptor, wanted)
    return image_document(image, held.repository, _local_names(session, held.descriptor.digest))


def _local_names(session: Session, digest: Digest) -> Names:
    store = session.reading
    rows = [r for r in store.images(Platform.host()) if r.descriptor.digest == digest]
    owners = {name for known in store.lookup(str(digest)) for name in known.repositories}
    return sorted_names(
        (f"{familiar(row.repository)}:{row.tag}" for row in rows if row.tag),
        (f"{familiar(name)}@{digest}" for name in owners | {row.repository for row in rows}),
    )


def _remote(session: Session, text: str, wanted: Platform | None) -> Record:
    reference = Reference.parse(text)
    name = reference.name.familiar
    remote = session.remote(reference.name)
    image = variant(remote, look_up(session, remote, reference), wanted)
    tag = None if reference.digest or reference.travels else reference.effective_tag
    tags = (f"{name}:{tag}",) if tag else ()
    return image_document(image, remote, Names(tags, (f"{name}@{image.root.digest}",)))
