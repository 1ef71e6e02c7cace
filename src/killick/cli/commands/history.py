"""`killick history`: the steps by which an image was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from killick.cli import human
from killick.cli.completing import local_names
from killick.cli.context import Session
from killick.cli.local import find_image
from killick.cli.output import Listing, Style, cut, format_options
from killick.cli.platform import parsed
from killick.cli.printing import one_line
from killick.cli.variants import Variant, variant
from killick.cli.verb import verb
from killick.digest import Digest
from killick.errors import Unsupported
from killick.manifest import Descriptor
from killick.moments import rfc3339

_MISSING = "<missing>"
_SHOWN_COMMAND = 45
_LISTING = Listing(
    {
        "ID": "IMAGE",
        "CreatedSince": "CREATED",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
        "CreatedAt": "CREATED AT",
        "Layer": "LAYER",
    },
    ("ID", "CreatedSince", "CreatedBy", "Size", "Comment"),
    "ID",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a build: what the config says of it, its layer if it made one, and the image."""

    said: Mapping[str, object]
    layer: Descriptor | None
    image: Digest | None

    def text(self, key: str) -> str:
        """Return what the config says under `key`, empty if it is no text."""
        value = self.said.get(key)
        return value if isinstance(value, str) else ""

    @property
    def size(self) -> int:
        """The size of the layer as it is stored and sent, compressed."""
        return self.layer.size if self.layer else 0


@dataclass(frozen=True, slots=True)
class _Line:
    step: Step
    now: datetime
    style: Style
    for_people: bool

    def fields(self) -> Mapping[str, str]:
        step, image = self.step, self.step.image
        created = human.parse_created(step.text("created"))
        stamp = rfc3339(created) if created else human.NOT_AVAILABLE
        made = cut(one_line(step.text("created_by")), _SHOWN_COMMAND, self.style)
        identity = _MISSING if image is None else image.short
        return {
            "ID": str(image) if image and self.style.no_trunc else identity,
            "CreatedSince": human.ago(created, self.now) if self.for_people else stamp,
            "CreatedBy": made,
            "Size": human.size(step.size) if self.for_people else str(step.size),
            "Comment": one_line(step.text("comment")),
            "CreatedAt": stamp,
            "Layer": str(step.layer.digest) if step.layer else "",
        }

    def document(self) -> Mapping[str, object]:
        step = self.step
        created = human.parse_created(step.text("created"))
        return {
            "ID": str(step.image) if step.image else None,
            "CreatedAt": created and rfc3339(created),
            "CreatedBy": step.text("created_by"),
            "Size": step.size,
            "Comment": step.text("comment"),
            "Layer": str(step.layer.digest) if step.layer else None,
        }


@verb(
    "history",
    examples="""
    killick history golftrack:1.5
    killick history --no-trunc --format '{{.Layer}} {{.CreatedBy}}' golftrack:1.5
    killick history --platform linux/arm64 golftrack:1.5~1
    """,
)
@click.argument("reference", metavar="REF", shell_complete=local_names)
@click.option("--platform", metavar="OS/ARCH", help="The image for this platform.")
@click.option(
    "-H",
    "--human/--no-human",
    "for_people",
    default=True,
    help="Sizes and dates for people (the default), or exact.",
)
@format_options(no_trunc=True, quiet="Only print image IDs.")
@click.pass_obj
def command(session: Session, /, reference: str, style: Style, **chosen: Any) -> None:  # noqa: ANN401 - options, by name
    """Show the steps by which a local image was made, the last one first."""
    wanted = parsed(chosen["platform"])
    held = find_image(session, reference)
    steps = list(history(variant(held.repository, held.descriptor, wanted)))
    people = chosen["for_people"]
    _LISTING.show((_Line(step, session.now, style, people) for step in reversed(steps)), style)


def history(image: Variant) -> Iterator[Step]:
    """Yield the steps of a build, the first one first, each with the layer that it made.

    A config may say nothing about some layers: they are steps of which nothing is known. The last
    step is the image itself.

    Raises:
        Unsupported: it is an artifact, which has no history.
    """
    if image.config is None:
        raise Unsupported(
            f"{image.manifest.digest} is no container image, so it has no history",
            hint=f"it is {image.manifest.artifact_type}",
        )
    layers = list(image.manifest.layers)
    said: list[tuple[Mapping[str, object], Descriptor | None]] = []
    for entry in image.config.history:
        makes_layer = entry.get("empty_layer") is not True and layers
        said.append((entry, layers.pop(0) if makes_layer else None))
    said += [({}, layer) for layer in layers]
    for position, (entry, layer) in enumerate(said, 1):
        yield Step(entry, layer, image.manifest.config.digest if position == len(said) else None)
