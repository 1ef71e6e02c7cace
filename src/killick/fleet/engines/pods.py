"""What a pod says of its containers, of all kinds, and of the images among its volumes.

A container's status may lag behind its specification, or be absent: then the words are known, and
nothing of a digest. `imageID` is whatever the runtime of the node makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from killick.fleet.engines import fields
from killick.fleet.engines.fields import Fields, text
from killick.inventory import MOST_CHARACTERS
from killick.observation import Container, Role, Workload
from killick.platforms import Platform

Owners = Mapping[tuple[str, str, str], tuple[str, str]]
"""From kind, namespace and name of a pod's owner to kind and name of that one's owner."""

_KINDS: tuple[tuple[Role, str, str], ...] = (
    ("container", "containers", "containerStatuses"),
    ("init", "initContainers", "initContainerStatuses"),
    ("ephemeral", "ephemeralContainers", "ephemeralContainerStatuses"),
)
_STATES = {"running": "running", "terminated": "exited", "waiting": "waiting"}


def owner(thing: Fields) -> tuple[str, str]:
    """Return kind and name of what controls a thing; two empty texts: nothing does."""
    for reference in fields.objects(thing, "metadata", "ownerReferences"):
        if reference.get("controller") is True:
            return text(reference, "kind"), text(reference, "name")
    return "", ""


def workload(pod: Fields, owners: Owners) -> Workload:
    """Return the topmost known owner of a pod, or the pod itself."""
    namespace = text(pod, "metadata", "namespace")
    kind, name = owner(pod)
    if not (kind and name):
        return Workload("Pod", text(pod, "metadata", "name"), namespace)
    kind, name = owners.get((kind, namespace, name), (kind, name))
    return Workload(kind, name, namespace)


def containers(pod: Fields, platform: Platform | None, workload: Workload) -> Iterator[Container]:
    """Yield the containers of a pod, and its image volumes."""
    for role, specified, observed in _KINDS:
        statuses = {text(s, "name"): s for s in fields.objects(pod, "status", observed)}
        for spec in fields.objects(pod, "spec", specified):
            name = text(spec, "name")
            if name:
                status = statuses.get(name, {})
                yield _container(pod, spec, status, (role, observed, platform, workload))
    yield from _volumes(pod, platform, workload)


def _container(
    pod: Fields,
    spec: Fields,
    status: Fields,
    known: tuple[Role, str, Platform | None, Workload],
) -> Container:
    role, observed, platform, workload = known
    name = text(spec, "name")
    words = [text(spec, "image"), text(status, "image")]
    state, started = _state(status)
    return Container(
        id=text(status, "containerID") or f"{text(pod, 'metadata', 'uid')}/{name}",
        name=_name(pod, name),
        image=words[0] or words[1],
        claims=fields.claims(
            [
                (f"status.{observed}.imageID", text(status, "imageID")),
                *(
                    (field, value)
                    for field, value in (("spec.image", words[0]), ("status.image", words[1]))
                    if fields.looks_like_digest(value)
                ),
            ]
        ),
        names=fields.names(w for w in words if not fields.looks_like_digest(w)),
        platform=platform,
        state=state,
        role=role,
        host=text(pod, "spec", "nodeName") or None,
        created=fields.moment(pod, "metadata", "creationTimestamp"),
        started=fields.moment({"": started}, ""),
        workload=workload,
        pulls=text(spec, "imagePullPolicy") or None,
        labels=fields.labels(pod, "metadata", "labels"),
    )


def _volumes(pod: Fields, platform: Platform | None, workload: Workload) -> Iterator[Container]:
    """Yield the image volumes: their digests stand in the statuses of those that mount them."""
    for volume in fields.objects(pod, "spec", "volumes"):
        name, image = text(volume, "name"), text(volume, "image", "reference")
        if not (name and image):
            continue
        claims = [("spec.volumes.image.reference", image)] if _is_digest(image) else []
        claims += [(field, value) for field, value in _mounted(pod, name)]
        yield Container(
            id=f"{text(pod, 'metadata', 'uid')}/{name}",
            name=_name(pod, name),
            image=image,
            claims=fields.claims(claims),
            names=() if _is_digest(image) else (image,),
            platform=platform,
            state=text(pod, "status", "phase").lower() or "unknown",
            role="volume",
            host=text(pod, "spec", "nodeName") or None,
            created=fields.moment(pod, "metadata", "creationTimestamp"),
            workload=workload,
            pulls=text(volume, "image", "pullPolicy") or None,
            labels=fields.labels(pod, "metadata", "labels"),
        )


def _mounted(pod: Fields, volume: str) -> Iterator[tuple[str, str]]:
    for _, _, observed in _KINDS:
        for status in fields.objects(pod, "status", observed):
            for mount in fields.objects(status, "volumeMounts"):
                if text(mount, "name") == volume:
                    field = f"status.{observed}.volumeMounts.volumeStatus.image.imageRef"
                    yield field, text(mount, "volumeStatus", "image", "imageRef")


def _state(status: Fields) -> tuple[str, object]:
    """Return the state of a container, and since when."""
    for key, word in _STATES.items():
        state = fields.mapping(status, "state", key)
        if state:
            return word, state.get("startedAt")
    return "unknown", None


def _name(pod: Fields, name: str) -> str:
    full = f"{text(pod, 'metadata', 'namespace')}/{text(pod, 'metadata', 'name')}/{name}"
    return full[:MOST_CHARACTERS]


def _is_digest(words: str) -> bool:
    return fields.looks_like_digest(words)
