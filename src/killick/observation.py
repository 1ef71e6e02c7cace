"""What an engine said about its containers: collected, not interpreted.

One form for all engines, and one JSON form: of a snapshot in the store, of a report to a server,
and of an inventory file. Every digest-looking value is kept with the field that it came
from: which kind of digest a field holds differs between engines and versions, so that is found out
later, by looking the digest up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from killick.platforms import Platform

Role = Literal["container", "init", "ephemeral", "volume"]
"""What an image is there for; `init`, `ephemeral` and `volume` are a pod's."""

_DIGITS = re.compile(r"(?:([a-z0-9]+(?:[.+_-][a-z0-9]+)*):)?\b([0-9a-fA-F]{64,128})\b")


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
    its kind: `docker`, `podman`, `containerd`, `cri-o`, `kubernetes`, `inventory`. Where it is kept
    and told again (`Sightings.snapshots`) it can have both: what the engine said when it last
    answered, and why it could not be asked since.
    """

    host: str
    engine: str
    taken: datetime
    containers: tuple[Container, ...] = ()
    failure: str | None = None


def digests_in(container: Container) -> tuple[str, ...]:
    """Return every digest that stands in what is told of a container, once, as `sha256:…`.

    64 digits alone are read as sha256, for so Podman writes an image ID.
    """
    words = [container.image, *(claim.value for claim in container.claims), *container.names]
    found = (match for text in words for match in _DIGITS.finditer(text))
    return tuple(
        dict.fromkeys(
            f"{match[1] or 'sha256'}:{match[2].lower()}"
            for match in found
            if match[1] or len(match[2]) == 64
        )
    )


@dataclass(frozen=True, slots=True)
class Sighting:
    """A container as it was when it was last seen so, and since when it was seen so.

    Whether it was there all the time in between is not said.
    """

    host: str
    engine: str
    first: datetime
    last: datetime
    container: Container


@runtime_checkable
class Sightings(Protocol):
    """A registry that keeps what engines said (a capability of `killick.repository.Registry`)."""

    def report(self, snapshot: Snapshot, /) -> None:
        """Keep a snapshot: the newest of its host, and of older ones what it does not repeat."""
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the newest snapshot of each host, in the order of their names."""
        ...

    def sightings(self, words: str, /, skip: int = 0) -> Iterator[Sighting]:
        """Yield the sightings of containers of this ID, or of which this digest was told.

        What was seen last comes first; the first `skip` are left out. A digest is written in full,
        with its algorithm; an ID without what Kubernetes puts before it (`containerd://`).
        """
        ...

    def forget(self, host: str, /) -> bool:
        """Forget all about a host; False where nothing is known of it."""
        ...


@runtime_checkable
class Claimable(Protocol):
    """A registry in which a host's name belongs to who reported under it first (capability)."""

    def claim(self, host: str, account: str, /) -> str:
        """Let the name of a host be this account's, if it is nobody's; return whose it is then."""
        ...
