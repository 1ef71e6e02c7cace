"""How fast a fleet is looked at: engines made of tables, each on a real socket of its own.

    python bench/fleet.py                         500 engines with 20 containers each
    python bench/fleet.py --engines 50 --dead 10  fewer, ten of which hang

The engines run in one other process, on the same processors; so the time includes theirs. Their
answers are as long as Docker's (an inspected container takes 5 KB).
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import timed

ROOT = Path(__file__).parents[1]
IMAGES = 50
API = "/v1.41"


def main() -> int:
    options = _options()
    if options.serve:
        asyncio.run(_serve(options))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        command = [sys.executable, __file__, "--serve", *sys.argv[1:]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engines:
            try:
                ports = json.loads(engines.stdout.readline())
                _measure(work, ports, options)
            finally:
                engines.terminate()
    return 0


def _measure(work: Path, ports: list[int], options: argparse.Namespace) -> None:
    tables = {f"engine-{n}": {"url": f"tcp://127.0.0.1:{port}"} for n, port in enumerate(ports)}
    (work / "fleet.json").write_text(json.dumps({"engines": tables}))
    env = {
        "KILLICK_CONFIG": str(work / "config.toml"),
        "KILLICK_STORE": str(work / "store"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    scan = [sys.executable, "-m", "killick", "scan", "--json", "--timeout", str(options.timeout)]
    for round_ in ("cold", "warm"):
        run = timed(scan, env)
        work_done = f"{len(ports)} engines, {options.containers} containers each"
        figures = f"{run.wall:.2f} s, {run.cpu:.2f} processor s, {run.memory:.0f} MiB"
        print(f"scan, {round_}: {work_done}: {figures}")
    shown = subprocess.run(scan, env={**os.environ, **env}, capture_output=True, check=False)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    seen = sum(line["containers"] or 0 for line in lines)
    dead = sum(line["failure"] is not None for line in lines)
    expected = (len(ports) - options.dead) * options.containers
    print(f"{seen} containers seen, {dead} engines said to have failed")
    if (seen, dead, len(lines)) != (expected, options.dead, len(ports)):
        raise SystemExit(f"there should be {expected} containers and {options.dead} failures")


class _Engine(asyncio.Protocol):
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


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ports, servers = [], []
    for number in range(options.engines):
        table = _table(number, options.containers) if number >= options.dead else None
        factory = (lambda t=table: _Engine(t)) if table else asyncio.Protocol
        server = await loop.create_server(factory, "127.0.0.1", 0, backlog=16)
        servers.append(server)
        ports.append(server.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


def _table(number: int, containers: int) -> dict[bytes, bytes]:
    names = [f"{number:04}-{n:04}" for n in range(containers)]
    listed = [
        {"Id": _id(name), "Names": [f"/{name}"], "Image": _tag(n), "ImageID": _digest(n)}
        | {"Labels": {"com.docker.compose.project": "shop"}, "State": "running", "Mounts": []}
        for n, name in enumerate(names)
    ]
    table = {
        "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.12"},
        f"{API}/containers/json": listed,
    }
    for n, name in enumerate(names):
        table[f"{API}/containers/{_id(name)}/json"] = {
            "Id": _id(name),
            "Name": f"/{name}",
            "Image": _digest(n),
            "Created": "2026-11-01T12:00:00.123456789Z",
            "Config": {
                "Image": _tag(n),
                "Labels": {
                    "com.docker.compose.project": "shop",
                    "com.docker.compose.service": name,
                },
                "Env": [f"SETTING_{k}=a value of an ordinary length" for k in range(40)],
            },
            "State": {"Status": "running", "StartedAt": "2026-11-01T12:00:01Z"},
            "HostConfig": {f"Setting{k}": ["", 0, False, None] for k in range(80)},
        }
        table[f"{API}/images/{_digest(n)}/json"] = {
            "Id": _digest(n),
            "RepoTags": [_tag(n)],
            "RepoDigests": [f"registry.example/app@{_digest(n + 1000)}"],
            "Os": "linux",
            "Architecture": "amd64",
        }
    return {path.encode(): _answer(value) for path, value in table.items()}


def _answer(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _digest(number: int) -> str:
    return f"sha256:{number % IMAGES:064x}" if number < 1000 else f"sha256:{number:064x}"


def _tag(number: int) -> str:
    return f"registry.example/app:{number % IMAGES}"


def _id(name: str) -> str:
    return name.replace("-", "").ljust(64, "0")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", type=int, default=500)
    parser.add_argument("--containers", type=int, default=20, help="of each engine")
    parser.add_argument("--dead", type=int, default=0, help="engines that never answer")
    parser.add_argument("--timeout", type=float, default=30, help="seconds for each engine")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
