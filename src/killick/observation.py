"""What an engine said about its containers: collected, not interpreted.

One form for all engines, and one JSON form: of a snapshot in the store, of a report to a server,
and of an inventory file. Every digest-looking value is kept with the field that it came
from: which kind of digest a field holds differs between engines and versions, so that is found out
later, by looking the digest up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from killick.platforms import Platform

Role = Literal["container", "init", "ephemeral", "volume"]
"""What an image is there for; `init`, `ephemeral` and `volume` are a pod's."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A digest-looking value, verbatim, and the field of the engine's answer that held it."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Workload:
    """What keeps a container running, and would start it anew.

    `kind` is `Deployment`, `DaemonSet`, `StatefulSet`, `Job`, `compose`, `systemd`, …; `namespace`
    is the Kubernetes namespace or the compose project.
    """

    kind: str
    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """One container (or a volume made of an image), as its engine told of it.

    `image` is the words that it was started with, as far as they are known; `names` are further
    names (with tag, digest or neither) that the engine knows its image by, which say where to look.
    `pulls` is the pull policy where the engine has one (`Always`, `IfNotPresent`, `Never`).
    """

    id: str
    name: str
    image: str
    claims: tuple[Claim, ...] = ()
    names: tuple[str, ...] = ()
    platform: Platform | None = None
    state: str = "unknown"
    role: Role = "container"
    host: str | None = None
    created: datetime | None = None
    started: datetime | None = None
    workload: Workload | None = None
    pulls: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one engine said at one moment; or, in `failure`, why it could not be asked.

    `host` is the engine's name in the report (as added, else its address or host name), `engine`
    its kind: `docker`, `podman`, `containerd`, `cri-o`, `kubernetes`, `inventory`.
    """

    host: str
    engine: str
    taken: datetime
    containers: tuple[Container, ...] = ()
    failure: str | None = None
