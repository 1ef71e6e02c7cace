"""Engines made of tables: what Docker, with each of its image stores, and Podman would answer.

Which digests each tells, and in which fields, is as the real ones do (see docs/fleet.md), and so is
how long the answers are: an inspected container takes 5 KB.

    python bench/simulated.py       reads a JSON list of engines from stdin, prints their ports
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator

Container = dict[str, str]
"""`id name reference index manifest config architecture`, of a container and its image."""
Answers = Iterator[tuple[str, object]]


def docker(containers: list[Container]) -> Answers:
    """A graph driver: the configs, and of what was pulled the indexes with their names."""
    for each in containers:
        repository = each["reference"].rpartition(":")[0]
        image = _image(each) | {"RepoDigests": [f"{repository}@{each['index']}"]}
        yield from _docker_answers("/v1.41", each, each["config"], image)
    yield from _docker_lists("/v1.41", containers, "config")


def docker_loaded(containers: list[Container]) -> Answers:
    """A graph driver whose images came from archives: nothing but the configs."""
    for each in containers:
        yield from _docker_answers("/v1.41", each, each["config"], _image(each))
    yield from _docker_lists("/v1.41", containers, "config")


def docker_containerd(containers: list[Container]) -> Answers:
    """Images in containerd: the indexes and the platforms' manifests, and never a config."""
    for each in containers:
        told = {"digest": each["manifest"], "platform": _platform(each)}
        image = _image(each) | {"Descriptor": {"digest": each["index"]}, "RepoDigests": []}
        more = {"ImageManifestDescriptor": told}
        yield from _docker_answers("/v1.53", each, each["index"], image, more)
    yield from _docker_lists("/v1.53", containers, "index")


def podman(containers: list[Container]) -> Answers:
    """The configs, and the index that an image was pulled by."""
    yield "/version", {"Components": [{"Name": "Podman Engine", "Version": "5.4.0"}]}
    yield (
        "/v5.4.0/libpod/containers/json",
        [
            {"Id": c["id"], "Names": [c["name"]], "Image": c["reference"], "ImageID": _bare(c)}
            | {"State": "running"}
            for c in containers
        ],
    )
    for each in containers:
        inspected = _inspected(each) | {"Image": _bare(each), "ImageName": each["reference"]}
        inspected |= {"ImageDigest": each["index"], "Name": each["name"]}
        yield f"/v5.4.0/libpod/containers/{each['id']}/json", inspected
        image = _image(each) | {"Id": _bare(each), "Digest": each["index"], "RepoDigests": []}
        yield f"/v5.4.0/libpod/images/{_bare(each)}/json", image


KINDS: tuple[Callable[[list[Container]], Answers], ...] = (
    docker,
    docker_loaded,
    docker_containerd,
    podman,
)


def _docker_answers(
    api: str, each: Container, identifier: str, image: dict, more: dict | None = None
) -> Answers:
    inspected = _inspected(each) | {"Image": identifier, "Name": f"/{each['name']}"} | (more or {})
    yield f"{api}/containers/{each['id']}/json", inspected
    yield f"{api}/images/{identifier}/json", image | {"Id": identifier}


def _docker_lists(api: str, containers: list[Container], identifier: str) -> Answers:
    yield "/version", {"ApiVersion": api.removeprefix("/v"), "MinAPIVersion": "1.12"}
    yield (
        f"{api}/containers/json",
        [
            {"Id": c["id"], "Names": [f"/{c['name']}"], "Image": c["reference"]}
            | {"ImageID": c[identifier], "State": "running", "Mounts": []}
            | {"Labels": {"com.docker.compose.project": "shop"}}
            for c in containers
        ],
    )


def _inspected(each: Container) -> dict:
    return {
        "Id": each["id"],
        "Created": "2026-11-01T12:00:00.123456789Z",
        "Config": {
            "Image": each["reference"],
            "Labels": {
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": each["name"],
            },
            "Env": [f"SETTING_{k}=a value of an ordinary length" for k in range(40)],
        },
        "State": {"Status": "running", "StartedAt": "2026-11-01T12:00:01Z"},
        "HostConfig": {f"Setting{k}": ["", 0, False, None] for k in range(80)},
    }


def _image(each: Container) -> dict:
    return {"RepoTags": [], "Os": "linux", "Architecture": each["architecture"]}


def _platform(each: Container) -> dict[str, str]:
    return {"os": "linux", "architecture": each["architecture"]}


def _bare(each: Container) -> str:
    return each["config"].removeprefix("sha256:")


class _Connection(asyncio.Protocol):
    """One connection to an engine whose answers are in `table`, by path, ready to send."""

    def __init__(self, table: dict[bytes, bytes]) -> None:
        self._table = table
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(self._table[path])


def _table(answers: Answers) -> dict[bytes, bytes]:
    found = {}
    for path, value in answers:
        body = json.dumps(value).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        found[path.encode()] = head + body
    return found


async def _serve(engines: list[dict]) -> None:
    """Open a socket for each engine; one whose `kind` is None takes connections, and is silent."""
    loop = asyncio.get_running_loop()
    servers, factory = [], asyncio.Protocol
    for engine in engines:
        if engine["kind"] is not None:
            table = _table(KINDS[engine["kind"]](engine["containers"]))
            factory = lambda table=table: _Connection(table)  # noqa: E731 - bound to its table
        servers.append(await loop.create_server(factory, "127.0.0.1", 0, backlog=16))
        factory = asyncio.Protocol
    print(json.dumps([s.sockets[0].getsockname()[1] for s in servers]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(json.load(sys.stdin)))
