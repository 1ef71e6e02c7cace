"""What is measured of served registries. Each case gives rows: what, in which unit, by whom."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import images
import many
import registry
import standing
from images import MIB, Shape
from load import Load, ask, each_takes, read_away, wrk
from servers import Server, running
from timing import settle, timed

GIB = 1024 * MIB


@dataclass(frozen=True)
class Sizes:
    """How much of everything; small ones are to see that the rig works."""

    seconds: int
    large: Shape
    upload: Shape
    small: Shape
    repositories: int
    tags: int  # in each repository
    blob: int
    readers: int
    idle: int  # connections
    bodies: int  # that don't go on
    patience: str  # how long they are waited for


FULL = Sizes(
    seconds=5,
    large=Shape(1, 128 * MIB),
    upload=Shape(1, GIB),
    small=Shape(200, MIB),
    repositories=10_000,
    tags=100,
    blob=10 * GIB,
    readers=200,
    idle=1100,
    bodies=1000,
    patience="1m",
)
PAGE = [f"v1.{number}" for number in range(100)]
QUICK = Sizes(
    seconds=1,
    large=Shape(1, 4 * MIB),
    upload=Shape(1, 8 * MIB),
    small=Shape(5, MIB),
    repositories=20,
    tags=10,
    blob=32 * MIB,
    readers=10,
    idle=20,
    bodies=10,
    patience="2s",
)


@dataclass(frozen=True)
class Row:
    """One thing that was measured: of each server the runs, of which the median counts."""

    case: str
    unit: str
    runs: dict[str, list[float]]
    goal: float | None = None  # Killick's median is to be so many times the other's
    most: bool = False  # … at most, else at least
    note: str = ""
    limit: float | None = None  # where there is no other: a figure that is to be kept to

    def median(self, who: str) -> float:
        return median(self.runs[who])


@dataclass(frozen=True)
class Bench:
    """What all cases share."""

    servers: list[str]
    sizes: Sizes
    cache: Path
    work: Path
    repeat: int
    only: str = ""  # of the requests, those whose titles have this

    def turns(self) -> Iterator[list[str]]:
        """Who comes first changes, as what one leaves behind slows the next."""
        for turn in range(self.repeat):
            yield self.servers if turn % 2 else self.servers[::-1]


def requests(bench: Bench) -> Iterator[Row]:
    """Reads, as many as can be had."""
    small = images.layout(Shape(3, 4096), bench.cache)
    large = images.layout(bench.sizes.large, bench.cache)
    manifest, needed = images.manifest_of(small)
    digest = hashlib.sha256(manifest).hexdigest()
    big = images.manifest_of(large)[1][0]["digest"]
    reads = {
        "manifest by tag": ("/v2/bench/small/manifests/1", 32, 2.5),
        "manifest by digest": (f"/v2/bench/small/manifests/sha256:{digest}", 32, 4.0),
        "blob of 4 KiB": (f"/v2/bench/small/blobs/{needed[0]['digest']}", 32, 5.0),
        "tags/list of one tag": ("/v2/bench/small/tags/list", 32, 1.0),
        "tags/list of 100 tags": ("/v2/bench/tags/tags/list?n=100", 32, 1.0),
        "_catalog": ("/v2/_catalog?n=100", 32, 1.0),
        f"blob of {_size(bench.sizes.large.size)}": (f"/v2/bench/large/blobs/{big}", 4, 1.0),
    }
    with ExitStack() as stack:
        up = {who: stack.enter_context(running(who, bench.work / who)) for who in bench.servers}
        for server in up.values():
            registry.fill(server.host, "bench/small", small, server.headers)
            registry.fill(server.host, "bench/large", large, server.headers)
            registry.fill(server.host, "bench/tags", small, server.headers, PAGE)
        for title, (path, connections, goal) in reads.items():
            if bench.only not in title:
                continue
            loads = _loads(bench, up, path, connections)
            if connections == 32:
                rates = {who: [load.rate for load in each] for who, each in loads.items()}
                yield Row(title, "requests/s", rates, goal)
            else:
                speeds = {who: [load.speed / 1e6 for load in each] for who, each in loads.items()}
                yield Row(title, "MB/s", speeds, goal, note=f"{connections} connections")
            worst = {who: [load.p99 for load in each] for who, each in loads.items()}
            yield Row(f"{title}, 99th percentile", "ms", worst, goal and 1.0, most=True)


def _loads(
    bench: Bench, up: dict[str, Server], path: str, connections: int
) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {who: [] for who in bench.servers}
    for server in up.values():
        wrk(server, path, seconds=min(1, bench.sizes.seconds), connections=connections)
    for order in bench.turns():
        for who in order:
            found = wrk(up[who], path, seconds=bench.sizes.seconds, connections=connections)
            loads[who].append(found)
    return loads


def pushes(bench: Bench) -> Iterator[Row]:
    """Images that crane pushes into empty registries."""
    crane = registry.find("crane")
    for shape, goal in ((bench.sizes.upload, 0.7), (bench.sizes.small, 0.8)) if crane else ():
        folder = images.layout(shape, bench.cache)
        for blob in (folder / "blobs" / "sha256").iterdir():
            read_through(blob)
        runs: dict[str, list[float]] = {who: [] for who in bench.servers}
        for order in bench.turns():
            for who in order:
                with running(who, bench.work / who) as server:
                    log_in(server)
                    settle()
                    command = [str(crane), "push", str(folder), f"{server.host}/bench/push:1"]
                    runs[who].append(timed(command, server.environment()).wall)
        yield Row(f"crane push of {shape.title}", "s", runs, goal, most=True)


def log_in(server: Server) -> None:
    """Show the password to all workers, which hash it once each and then know it."""
    for _ in range(8):
        connection = HTTPConnection(server.host, timeout=60)
        ask(connection, server, "/v2/")
        connection.close()


def read_through(path: Path) -> None:
    """Let the file lie in the page cache, for everybody."""
    with path.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass


def crowds(bench: Bench) -> Iterator[Row]:
    """What costs more in a registry that has very much: nothing, at most twice as much."""
    sizes = bench.sizes
    large = bench.cache / f"many-{sizes.repositories}x{sizes.tags}"
    small = bench.cache / "many-1x10"
    many.make(large, sizes.repositories, sizes.tags, bench.cache / "tiny")
    many.make(small, 1, 10, bench.cache / "tiny")
    amount = f"{sizes.repositories:,} repositories, {sizes.repositories * sizes.tags:,} tags"
    asked = {
        "tags/list?n=10": lambda repository, _: f"/v2/{repository}/tags/list?n=10",
        "_catalog?n=10": lambda repository, _: f"/v2/_catalog?n=10&last={repository[:-1]}",
        "history of all tags, n=10": lambda repo, _: f"/v2/{repo}/_killick/history?n=10",
        "history of one tag": lambda repo, tag: f"/v2/{repo}/_killick/history/{tag}?n=10",
        "pull by tag, asked for before": lambda repo, tag: f"/v2/{repo}/manifests/{tag}",
        "pull by tag, for the first time": lambda repo, tag: f"/v2/{repo}/manifests/{tag}",
    }
    with ExitStack() as stack:
        ten = stack.enter_context(running("killick", bench.work / "ten", data=small))
        full = stack.enter_context(running("killick", bench.work / "full", data=large))
        for title, path in asked.items():
            runs: dict[str, list[float]] = {"killick": [], "with ten tags": []}
            for turn in range(bench.repeat):
                first = title.endswith("first time")
                places = _places(sizes, turn + 100 * first)
                few = [path(many.name(0), many.tag(n % 10)) for n in range(10)] * 10
                there = [path(*place) for place in places]
                # What was never asked for goes the long way, and so does what has a query.
                if first:
                    few = [f"{one}?turn={turn}" for one in few]
                both = [(ten, few), (full, there)]
                takes = each_takes(both, warm=0 if first else 1)
                runs["with ten tags"].append(takes[0])
                runs["killick"].append(takes[1])
            yield Row(f"{title}: {amount}", "ms", runs, 2.0, most=True)
    starts: dict[str, list[float]] = {"killick": []}
    for _ in range(bench.repeat):
        with running("killick", bench.work / "start", data=large) as server:
            starts["killick"].append(server.start)
    yield Row(f"start-up: {amount}", "s", starts, limit=2.0)


def _places(sizes: Sizes, seed: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    return [
        (many.name(draw.randrange(sizes.repositories)), many.tag(draw.randrange(sizes.tags)))
        for _ in range(100)
    ]


def memory(bench: Bench) -> Iterator[Row]:
    """What one worker takes at most: one blob pushed and pulled, and many slow readers."""
    sizes = bench.sizes
    with running("killick", bench.work / "memory") as server:
        before = max(server.memory())
        path = upload(server, sizes.blob)
        after = max(server.memory())
        yield Row(f"push of {_size(sizes.blob)}", "MiB", {"killick": [after]}, limit=150)
        if read_away(server, path) != sizes.blob:
            raise RuntimeError("the blob came back with another length")
        pulled = max(server.memory())
        yield Row(f"and pull of it (idle: {before:.0f})", "MiB", {"killick": [pulled]}, limit=150)
        hold_readers(server, path, sizes)
        most = max(server.memory())
        yield Row(f"and {sizes.readers} slow readers of it", "MiB", {"killick": [most]})


def crowd(bench: Bench) -> Iterator[Row]:
    """Callers who stand still, and whether others are served nevertheless."""
    sizes = bench.sizes
    more = ["--workers", "1", "--set", f"limits.idle={sizes.patience}"]
    with running("killick", bench.work / "standing", more=more) as server:
        log_in(server)
        took = standing.idle(server, sizes.idle)
        yield Row(f"a call beside {sizes.idle:,} idle connections", "ms", {"killick": [took]})
        stood = standing.bodies(server, sizes.bodies)
        title = f"{sizes.bodies:,} bodies that stopped at 90 % of 1 MiB"
        yield Row(title, "MiB", {"killick": [stood.memory]}, limit=512)
        yield Row(f"{title}: cut off after", "s", {"killick": [stood.seconds]}, limit=75)


def upload(server: Server, size: int) -> str:
    """Push one blob of so many bytes in one PUT; return its path."""
    piece = hashlib.shake_128(b"bench").digest(MIB)
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        digest.update(piece)
    name = f"sha256:{digest.hexdigest()}"
    connection = HTTPConnection(server.host, timeout=600)
    connection.request("POST", "/v2/bench/large/blobs/uploads/", headers=server.headers)
    answer = connection.getresponse()
    answer.read()
    target = f"{answer.headers['Location']}?digest={name}"
    headers = {**server.headers, "Content-Length": str(size)}
    connection.request("PUT", target, (piece for _ in range(size // MIB)), headers)
    done = connection.getresponse()
    if done.status != 201:
        raise RuntimeError(f"PUT {target}: {done.status} {done.read()[:200]!r}")
    connection.close()
    return f"/v2/bench/large/blobs/{name}"


def hold_readers(server: Server, path: str, sizes: Sizes) -> None:
    """Let many read slowly, all at once, and ask for something else meanwhile."""
    stop = threading.Event()

    def read() -> None:
        connection = HTTPConnection(server.host, timeout=60)
        connection.request("GET", path, headers=server.headers)
        answer = connection.getresponse()
        while not stop.wait(0.1) and answer.read(8192):
            pass
        connection.close()

    readers = [threading.Thread(target=read, daemon=True) for _ in range(sizes.readers)]
    for reader in readers:
        reader.start()
    other = HTTPConnection(server.host, timeout=60)
    for _ in range(2 * sizes.seconds):
        ask(other, server, "/v2/")
        stop.wait(1)
    stop.set()
    for reader in readers:
        reader.join(60)


def _size(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"


CASES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "requests": requests,
    "pushes": pushes,
    "crowds": crowds,
    "memory": memory,
    "standing": crowd,
}
