"""containerd, CRI-O and whatever else speaks CRI, version 1, on a socket of this machine.

Four methods are called, and all of them only tell. Field numbers are those of `runtime.v1` in
https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from killick.errors import NotFound
from killick.fleet.engines import fields
from killick.fleet.engines.grpc import Calls
from killick.fleet.engines.lines import unix
from killick.fleet.engines.protobuf import Message, bytes_field, text_field, true_field
from killick.fleet.engines.workloads import workload_of
from killick.inventory import MOST_CHARACTERS
from killick.moments import utc_now
from killick.observation import Container, Snapshot
from killick.platforms import Platform

VERSION = "/runtime.v1.RuntimeService/Version"
LIST = "/runtime.v1.RuntimeService/ListContainers"
STATUS = "/runtime.v1.RuntimeService/ContainerStatus"
IMAGE = "/runtime.v1.ImageService/ImageStatus"

_CONTAINER_NAME = "io.kubernetes.container.name"
_NANOSECONDS = 10**9
_STATES = ("created", "running", "exited", "unknown")


class CriEngine:
    """The runtime whose CRI socket is at `path`, called `host` in reports."""

    kind = "cri"

    def __init__(self, host: str, path: str) -> None:
        self.host = host
        self._path = path

    def snapshot(self, seconds: float, /) -> Snapshot:
        """Return what it says now."""
        with Calls(self._path, unix(self._path), seconds) as calls:
            version = Message(calls.call(VERSION, b""))
            taken = utc_now()
            containers = tuple(_Reading(calls).containers())
        return Snapshot(self.host, version.text(2) or self.kind, taken, containers)


class _Reading:
    """One reading of everything: each image is asked for once."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._images: dict[str, tuple[Message, Platform | None]] = {}

    def containers(self) -> Iterator[Container]:
        for listed in Message(self._calls.call(LIST, b"")).messages(1):
            if listed.text(1):
                status = self._status(listed.text(1))
                yield self._container(listed, status)
                yield from self._volumes(listed, status)

    def _container(self, listed: Message, status: Message) -> Container:
        spec = listed.message(4)
        image, platform = self._image(
            status.text(17) or listed.text(10) or status.text(9) or listed.text(5)
        )
        told = status.message(8)
        words = [*told.texts(18), *spec.texts(18), *spec.texts(1), *told.texts(1)]
        labels = fields.labels({"": listed.labels(8)}, "")
        return Container(
            id=listed.text(1),
            name=labels.get(_CONTAINER_NAME) or listed.message(3).text(1) or listed.text(1),
            image=words[0] if words else "",
            claims=fields.claims(
                chain(_claims(listed, status), _image_claims(image), _in_words(words))
            ),
            names=fields.names(
                chain((w for w in words if not _is_digest(w)), image.texts(2), image.texts(3))
            ),
            platform=platform,
            state=_state(status.number(3) if status.text(1) else listed.number(6)),
            created=_moment(listed.number(7)),
            started=_moment(status.number(5)),
            workload=workload_of(labels),
            labels=labels,
        )

    def _volumes(self, listed: Message, status: Message) -> Iterator[Container]:
        """Yield the images that are mounted as volumes."""
        for mount in status.messages(14):
            spec = mount.message(9)
            words = [*spec.texts(18), *spec.texts(1)]
            if not words:
                continue
            image, platform = self._image(spec.text(20) or spec.text(1))
            ref = ("mount.image.image_ref", spec.text(20))
            labels = fields.labels({"": listed.labels(8)}, "")
            yield Container(
                id=f"{listed.text(1)}{mount.text(1)}"[:MOST_CHARACTERS],
                name=f"{labels.get(_CONTAINER_NAME) or listed.text(1)}:{mount.text(1)}",
                image=words[0],
                claims=fields.claims(chain([ref], _image_claims(image), _in_words(words))),
                names=fields.names(
                    chain((w for w in words if not _is_digest(w)), image.texts(2), image.texts(3))
                ),
                platform=platform,
                state=_state(listed.number(6)),
                role="volume",
                workload=workload_of(labels),
            )

    def _status(self, identifier: str) -> Message:
        """Return the status of a container; an empty one where it has gone meanwhile."""
        try:
            return Message(self._calls.call(STATUS, text_field(1, identifier))).message(1)
        except NotFound:
            return Message()

    def _image(self, reference: str) -> tuple[Message, Platform | None]:
        """Return what is said of an image: nothing where it is not there any more."""
        if reference not in self._images:
            request = bytes_field(1, text_field(1, reference)) + true_field(2)
            try:
                answer = Message(self._calls.call(IMAGE, request)) if reference else Message()
            except NotFound:
                answer = Message()
            self._images[reference] = answer.message(1), _platform(answer)
        return self._images[reference]


def _claims(listed: Message, status: Message) -> Iterator[tuple[str, str]]:
    yield "ContainerStatus.image_ref", status.text(9)
    yield "ContainerStatus.image_id", status.text(17)
    yield "ListContainers.image_ref", listed.text(5)
    yield "ListContainers.image_id", listed.text(10)


def _image_claims(image: Message) -> Iterator[tuple[str, str]]:
    yield "ImageStatus.id", image.text(1)
    for name in image.texts(3):
        yield "ImageStatus.repo_digests", name


def _in_words(words: list[str]) -> Iterator[tuple[str, str]]:
    yield from (("image", text) for text in words if _is_digest(text))


def _is_digest(words: str) -> bool:
    return fields.looks_like_digest(words)


def _platform(answer: Message) -> Platform | None:
    """Return the platform in the verbose part of an image's status, where containerd tells it."""
    try:
        info = json.loads(answer.document(2).get("info", b""))
    except (ValueError, RecursionError):
        return None
    spec = fields.mapping(info, "imageSpec")
    return fields.platform(
        fields.text(spec, "os"), fields.text(spec, "architecture"), fields.text(spec, "variant")
    )


def _state(number: int) -> str:
    return _STATES[number] if 0 <= number < len(_STATES) else "unknown"


def _moment(nanoseconds: int) -> datetime | None:
    return fields.moment({"": nanoseconds / _NANOSECONDS}, "")
