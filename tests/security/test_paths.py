"""Thousands of paths that try to get out of the registry: refused, and nothing outside is met."""

import contextlib
import itertools
import socket

import pytest

from contract.servers import served

CANARY = b"a file beside the registry"
STEPS = (
    *("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..%5c", "%2e%2e%5c", "....//"),
    *("..;/", ".%2e/", "%c0%ae%c0%ae%c0%af", "%uff0e%uff0e/", "..%00/", "./../", "..%2f%2e%2e/"),
)
DEPTHS = (1, 2, 5, 12)
GOALS = ("canary", "etc/passwd", "store.db", "%63anary", "canary%00.json")
PLACES = (
    "/{}",
    "/v2/{}",
    "/v2/{}/manifests/1",
    "/v2/a/{}/tags/list",
    "/v2/a/manifests/{}",
    "/v2/a/blobs/{}",
    "/v2/a/blobs/sha256:{}",
    "/v2/a/blobs/uploads/{}",
    "/v2/a/referrers/{}",
    "/v2/a/_killick/history/{}",
    "/v2/a/blobs/sha256:" + "0" * 64 + "/{}",
)
PATHS = [
    place.format(step * depth + goal)
    for place, step, depth, goal in itertools.product(PLACES, STEPS, DEPTHS, GOALS)
]
ALWAYS = (
    *("//etc/passwd", "/v2//etc/passwd", "/v2/file:///etc/passwd", "http://127.0.0.1/etc/passwd"),
    *("/v2/%2fetc%2fpasswd/manifests/1", "/v2/a/blobs/uploads//etc/passwd", "/%2e%2e", "*"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A served store, a file beside its folder, and one of the same name in the folder's parent."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "canary").write_bytes(CANARY)
    root = folder / "registry"
    with served("store", root) as domain:
        yield folder, domain


def answers(domain, method, paths):
    """Yield each path with the whole answer to it, as it came over the socket."""
    host, port = domain.rsplit(":", 1)
    for some in itertools.batched(paths, 50) if hasattr(itertools, "batched") else batches(paths):
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            file = sock.makefile("rb")
            for path in some:
                head = f"{method} {path} HTTP/1.1\r\nHost: {domain}\r\nContent-Length: 0\r\n\r\n"
                sock.sendall(head.encode())
                status, body, open_ = answer(file)
                yield path, status, body
                if not open_:
                    break


def batches(paths):
    rest = iter(paths)
    while some := list(itertools.islice(rest, 50)):
        yield some


def answer(file):
    """Return the status and the body of an answer, and whether the connection goes on."""
    line = file.readline()
    if not line:
        return 0, b"", False
    length, open_ = 0, True
    while (header := file.readline()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() == b"connection" and b"close" in value.lower():
            open_ = False
    return int(line.split()[1]), file.read(length), open_


def files(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if "registry" not in path.parts}


def test_there_are_thousands():
    assert len(set(PATHS)) >= 2000


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_no_path_leads_outside(place, method):
    folder, domain = place
    chosen = [*ALWAYS, *(PATHS if method == "GET" else PATHS[:: len(PATHS) // 400])]
    before = files(folder)
    seen = 0
    for path, status, body in answers(domain, method, chosen):
        seen += 1
        assert CANARY not in body, path
        assert b"root:" not in body, path
        assert status in (0, 202, 400, 404, 405, 411, 414), (path, status, body)
        if status == 202:  # an upload began, in a repository that the path names well
            assert method == "POST", path
    assert seen >= len(chosen) * 0.9
    assert files(folder) == before
    assert (folder / "canary").read_bytes() == CANARY


def test_nothing_is_stored_under_a_name_that_was_given(place):
    """Repositories and tags are rows, not files: no name from outside is a part of a path."""
    folder, domain = place
    host, port = domain.rsplit(":", 1)
    name = "named-from-outside"
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        head = f"POST /v2/{name}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        sock.sendall(head.encode())
        status, _, _ = answer(sock.makefile("rb"))
    assert status == 202
    with contextlib.suppress(FileNotFoundError):
        assert not [path for path in folder.rglob("*") if name in path.name]
