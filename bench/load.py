"""Many requests: by wrk as fast as they are answered, or one by one to see what each takes."""

import http.client
import statistics
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
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


def each_takes(server: Server, paths: Iterable[str], warm: int = 1) -> float:
    """Milliseconds that one request takes (the median), one after another on one connection.

    The first `warm` rounds are not counted.
    """
    paths, taken = list(paths), []
    name, port = server.host.split(":")
    with closing(http.client.HTTPConnection(name, int(port), timeout=60)) as connection:
        for turn in range(warm + 1):
            for path in paths:
                start = time.perf_counter()
                ask(connection, server, path)
                if turn >= warm:
                    taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


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
