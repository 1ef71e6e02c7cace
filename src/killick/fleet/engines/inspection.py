"""The walk that Docker and libpod share: the list of containers, and what each inspection says."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from killick.errors import NotFound
from killick.fleet.engines import fields
from killick.fleet.engines.fields import Fields, text
from killick.fleet.engines.http import Asking
from killick.inventory import MOST_CONTAINERS


def inspections(
    asking: Asking, prefix: str, everything: str
) -> Iterator[tuple[Fields, Fields, Fields]]:
    """Yield each container as it is listed and as it is inspected, and its image's inspection.

    The API lies below `prefix`; `everything` is how it spells that stopped ones are wanted as well.
    Each image is asked for once; what has gone since it was listed says nothing.
    """
    listed = asking.get(f"{prefix}/containers/json", all=everything)
    images: dict[str, Fields] = {}
    for entry in fields.objects({"": listed}, ""):
        identifier = text(entry, "Id")
        if len(images) > MOST_CONTAINERS or not identifier:
            continue
        inspected = _inspect(asking, f"{prefix}/containers/{quote(identifier, safe='')}/json")
        image = text(inspected, "Image") or text(entry, "ImageID")
        if image and image not in images:
            images[image] = _inspect(asking, f"{prefix}/images/{quote(image, safe=':')}/json")
        yield entry, inspected, images.get(image, {})


def _inspect(asking: Asking, path: str) -> Fields:
    try:
        return fields.mapping({"": asking.get(path)}, "")
    except NotFound:
        return {}
