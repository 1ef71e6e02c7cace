"""Podman by its own API (libpod), which says more than its imitation of Docker's.

Of an image that lost its names, Docker's form of the answer knows nothing any more; libpod keeps
`ImageDigest` in the container and `NamesHistory` in the image.

https://docs.podman.io/en/latest/_static/api.html
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from killick.fleet.engines import fields
from killick.fleet.engines.fields import Fields, text
from killick.fleet.engines.http import Asking
from killick.fleet.engines.inspection import inspections
from killick.fleet.engines.workloads import workload_of
from killick.observation import Container

_COMPONENT = "Podman Engine"
_STATES = {"stopped": "exited", "initialized": "created", "configured": "created"}
"""Podman's own words for what Docker, and so everybody, calls otherwise."""


def version_of(version: object) -> str | None:
    """Return the version of libpod's API in an answer to /version; None: it is not Podman's."""
    for component in fields.objects(version, "Components"):
        if text(component, "Name") == _COMPONENT:
            return text(component, "Details", "APIVersion") or text(component, "Version") or None
    return None


def containers(asking: Asking, version: str) -> tuple[Container, ...]:
    """Return all containers, asked of libpod in `version` of its API."""
    told = inspections(asking, f"/v{quote(version)}/libpod", "true")
    return tuple(_container(*said) for said in told)


def _container(entry: Fields, inspected: Fields, image: Fields) -> Container:
    labels = fields.labels(inspected, "Config", "Labels") or fields.labels(entry, "Labels")
    state = text(inspected, "State", "Status") or text(entry, "State")
    listed_name = next(fields.texts(entry, "Names"), "")
    return Container(
        id=text(entry, "Id"),
        name=text(inspected, "Name") or listed_name or text(entry, "Id"),
        image=text(inspected, "ImageName") or text(entry, "Image"),
        claims=fields.claims(chain(_claims(entry, inspected), _image_claims(image))),
        names=fields.names(
            [
                text(entry, "Image"),
                *fields.texts(image, "RepoTags"),
                *fields.texts(image, "NamesHistory"),
            ]
        ),
        platform=fields.platform(text(image, "Os"), text(image, "Architecture")),
        state=_STATES.get(state, state) or "unknown",
        created=fields.moment(inspected, "Created") or fields.moment(entry, "Created"),
        started=fields.moment(inspected, "State", "StartedAt"),
        workload=workload_of(labels),
        labels=labels,
    )


def _claims(entry: Fields, inspected: Fields) -> Iterator[tuple[str, str]]:
    yield "container.ImageDigest", text(inspected, "ImageDigest")
    yield "container.Image", text(inspected, "Image")
    yield "list.ImageID", text(entry, "ImageID")
    for field, words in (
        ("container.Config.Image", text(inspected, "Config", "Image")),
        ("container.ImageName", text(inspected, "ImageName")),
        ("list.Image", text(entry, "Image")),
    ):
        if fields.looks_like_digest(words):
            yield field, words


def _image_claims(image: Fields) -> Iterator[tuple[str, str]]:
    yield "image.Id", text(image, "Id")
    yield "image.Digest", text(image, "Digest")
    for field in ("RepoDigests", "NamesHistory"):
        for name in fields.texts(image, field):
            if fields.looks_like_digest(name):
                yield f"image.{field}", name
