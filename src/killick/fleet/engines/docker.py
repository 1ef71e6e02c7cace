"""Docker Engine over its HTTP API; and who answers there, for Podman has the same socket.

Read: the list of containers, and each container and each image once by inspection. Which field
holds which kind of digest, on a graph driver and on the containerd image store, is not judged here.

https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from killick.errors import ProtocolError
from killick.fleet.engines import fields, podman
from killick.fleet.engines.fields import Fields, text
from killick.fleet.engines.http import Asking, Dial
from killick.fleet.engines.inspection import inspections
from killick.fleet.engines.workloads import workload_of
from killick.moments import utc_now
from killick.observation import Container, Snapshot
from killick.platforms import Platform

NEWEST_API = (1, 53)
"""The newest version that is spoken here: older engines get their own newest."""


class HttpEngine:
    """A Docker Engine or a Podman service, called `host` in reports, that `dial` leads to.

    `where` is how errors name it, and `authority` the Host header.
    """

    kind = "docker"

    def __init__(self, host: str, where: str, dial: Dial, authority: str = "localhost") -> None:
        self.host = host
        self._where = where
        self._dial = dial
        self._authority = authority

    def snapshot(self, seconds: float, /) -> Snapshot:
        """Return what it says now."""
        with Asking(self._where, self._dial, seconds, authority=self._authority) as asking:
            version = asking.get("/version")
            taken = utc_now()
            if library := podman.version_of(version):
                return Snapshot(self.host, "podman", taken, podman.containers(asking, library))
            prefix = f"/v{_spoken(version, self._where)}"
            found = (_container(*said) for said in inspections(asking, prefix, "1"))
            return Snapshot(self.host, "docker", taken, tuple(found))


def _spoken(version: Fields, where: str) -> str:
    """Return the version of the API to speak: the newest that both sides know."""
    newest, oldest = (_number(text(version, key)) for key in ("ApiVersion", "MinAPIVersion"))
    if newest is None:
        raise ProtocolError(
            f"what answers at {where} is neither Docker nor Podman",
            side="engine",
            hint="check the address",
        )
    spoken = max(min(newest, NEWEST_API), oldest or newest)
    return f"{spoken[0]}.{spoken[1]}"


def _number(version: str) -> tuple[int, int] | None:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _container(entry: Fields, inspected: Fields, image: Fields) -> Container:
    labels = fields.labels(inspected, "Config", "Labels") or fields.labels(entry, "Labels")
    listed_name = next(fields.texts(entry, "Names"), "")
    return Container(
        id=text(entry, "Id"),
        name=(text(inspected, "Name") or listed_name).removeprefix("/") or text(entry, "Id"),
        image=text(inspected, "Config", "Image") or text(entry, "Image"),
        claims=fields.claims(chain(_claims(entry, inspected), _image_claims(image))),
        names=fields.names(
            [
                *_unless_digest(text(entry, "Image")),
                *fields.texts(image, "RepoTags"),
                *(text(pull, "Repository") for pull in fields.objects(image, "Identity", "Pull")),
            ]
        ),
        platform=_platform(inspected, image),
        state=text(inspected, "State", "Status") or text(entry, "State") or "unknown",
        created=fields.moment(inspected, "Created") or fields.moment(entry, "Created"),
        started=fields.moment(inspected, "State", "StartedAt"),
        workload=workload_of(labels),
        labels=labels,
    )


def _claims(entry: Fields, inspected: Fields) -> Iterator[tuple[str, str]]:
    yield "container.Image", text(inspected, "Image")
    yield "list.ImageID", text(entry, "ImageID")
    for source, value in (("container", inspected), ("list", entry)):
        field = f"{source}.ImageManifestDescriptor.digest"
        yield field, text(value, "ImageManifestDescriptor", "digest")
    for field, words in (
        ("container.Config.Image", text(inspected, "Config", "Image")),
        ("list.Image", text(entry, "Image")),
    ):
        if fields.looks_like_digest(words):
            yield field, words


def _image_claims(image: Fields) -> Iterator[tuple[str, str]]:
    yield "image.Id", text(image, "Id")
    yield "image.Descriptor.digest", text(image, "Descriptor", "digest")
    for name in fields.texts(image, "RepoDigests"):
        if fields.looks_like_digest(name):
            yield "image.RepoDigests", name


def _platform(inspected: Fields, image: Fields) -> Platform | None:
    """Return the platform of the manifest that runs, where that is told, else the image's."""
    told = fields.mapping(inspected, "ImageManifestDescriptor", "platform")
    return fields.platform(
        text(told, "os"), text(told, "architecture"), text(told, "variant")
    ) or fields.platform(text(image, "Os"), text(image, "Architecture"), text(image, "Variant"))


def _unless_digest(words: str) -> list[str]:
    return [] if fields.looks_like_digest(words) else [words]
