"""Callers who stand still: bodies that don't go on, and connections without a request."""

import asyncio
import contextlib
import resource
import time
from dataclasses import dataclass

from load import ask, connect
from servers import Server

MIB = 1024 * 1024


@dataclass(frozen=True)
class Stood:
    """What many callers who stood still cost: MiB of the workers, seconds until they were cut."""

    memory: float
    seconds: float


def bodies(server: Server, count: int, path: str = "/v2/bench/standing/blobs/uploads/") -> Stood:
    """Begin so many uploads of 1 MiB at once, send 90 % of each, and wait to be cut off."""
    _let_open(count)
    seconds = asyncio.run(_stand(server, count, path))
    return Stood(max(server.memory()), seconds)


async def _stand(server: Server, count: int, path: str) -> float:
    ready = asyncio.Semaphore(64)
    ends = await asyncio.gather(*[_one(server, path, ready) for _ in range(count)])
    return max(ends)


async def _one(server: Server, path: str, ready: asyncio.Semaphore) -> float:
    """Return after how many seconds of standing still an answer came."""
    host, port = server.host.split(":")
    async with ready:
        reader, writer = await asyncio.open_connection(host, int(port))
        shown = "".join(f"{key}: {value}\r\n" for key, value in server.headers.items())
        start = f"POST {path} HTTP/1.1\r\nHost: {server.host}\r\n{shown}"
        writer.write(f"{start}Content-Length: 0\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        where = head.partition("location: ")[2].partition("\r")[0]
        patch = f"PATCH {where} HTTP/1.1\r\nHost: {server.host}\r\n{shown}"
        writer.write(f"{patch}Content-Length: {MIB}\r\n\r\n".encode() + bytes(MIB * 9 // 10))
        await writer.drain()
    began = time.monotonic()
    answer = await reader.read(64)
    if b" 408 " not in answer:
        raise RuntimeError(f"a body that stood still was answered by {answer!r}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return time.monotonic() - began


def idle(server: Server, count: int) -> float:
    """Open so many connections that ask for nothing; return how long a new caller takes (ms)."""
    _let_open(count)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(contextlib.closing(connect(server)))
            connection.connect()
        began = time.perf_counter()
        another = stack.enter_context(contextlib.closing(connect(server)))
        ask(another, server, "/v2/")
        return (time.perf_counter() - began) * 1000


def _let_open(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, hard))
