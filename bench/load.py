"""Many requests: by wrk as fast as they are answered, or one by one to see what each takes."""

import http.client
import statistics
import subprocess
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

from servers import Server

ACCEPT = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, */*"
)

_SAY = """
done = function(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write("FOUND ", summary.requests, " ", summary.bytes, " ", summary.duration, " ",
        latency:percentile(50), " ", latency:percentile(99), " ", failed)
end
"""


@dataclass(frozen=True)
class Load:
    rate: float  # requests a second
    speed: float  # bytes a second, headers included
    p50: float  # milliseconds
    p99: float


def wrk(server: Server, path: str, *, seconds: int, connections: int) -> Load:
    script = server.folder / "say.lua"
    script.write_text(_SAY)
    headers = {"Accept": ACCEPT, **server.headers}
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "60s",
        "-s",
        str(script),
    ]
    for key, value in headers.items():
        command += ["-H", f"{key}: {value}"]
    done = subprocess.run(
        [*command, f"http://{server.host}{path}"], capture_output=True, text=True, check=True
    )
    count, size, lasted, p50, p99, failed = map(float, done.stdout.partition("FOUND ")[2].split())
    if failed:
        raise RuntimeError(f"{server.name} failed {failed:.0f} times at {path}")
    seconds_taken = lasted / 1e6
    return Load(count / seconds_taken, size / seconds_taken, p50 / 1000, p99 / 1000)


def each_takes(asked: list[tuple[Server, list[str]]], warm: int = 1) -> list[float]:
    """Milliseconds that one request takes (medians), one after another on one connection each.

    Servers take turns with each request, so that whatever else the machine does slows all alike.
    The first `warm` rounds are not counted.
    """
    taken: list[list[float]] = [[] for _ in asked]
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(connect(server))) for server, _ in asked]
        for server, connection in zip((s for s, _ in asked), connections, strict=True):
            ask(connection, server, "/v2/")  # it shows the password, and is known from there on
        for turn in range(warm + 1):
            for paths in zip(*(paths for _, paths in asked), strict=True):
                for place, path in enumerate(paths):
                    start = time.perf_counter()
                    ask(connections[place], asked[place][0], path)
                    if turn >= warm:
                        taken[place].append(time.perf_counter() - start)
    return [statistics.median(each) * 1000 for each in taken]


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.host, timeout=60)


def ask(connection: http.client.HTTPConnection, server: Server, path: str) -> bytes:
    connection.request("GET", path, headers={"Accept": ACCEPT, **server.headers})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path}: {answer.status} {body[:200]!r}")
    return body


def read_away(server: Server, path: str, chunk: int = 1 << 20) -> int:
    """Download something, keep nothing, and return how long it was."""
    name, port = server.host.split(":")
    total = 0
    with closing(http.client.HTTPConnection(name, int(port), timeout=600)) as connection:
        connection.request("GET", path, headers=server.headers)
        answer = connection.getresponse()
        buffer = memoryview(bytearray(chunk))
        while count := answer.readinto(buffer):
            total += count
    return total
