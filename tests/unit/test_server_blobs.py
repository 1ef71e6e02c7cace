import pytest
from starlette.testclient import TestClient

from killick.digest import Digest
from killick.manifest import Descriptor
from killick.memory import MemoryRegistry
from killick.repository import BLOB_TYPE
from killick.server import OPEN, Limits, application
from serving import FiledRegistry, PlainRegistry

DATA = bytes(range(256)) * 4096
SHA256 = Digest.of(DATA)


@pytest.fixture(params=["memory", "files", "plain"])
def client(request, tmp_path):
    registries = {
        "memory": MemoryRegistry,
        "files": lambda: FiledRegistry(tmp_path),
        "plain": PlainRegistry,
    }
    with TestClient(application(registries[request.param](), OPEN)) as client:
        yield client


def code(answer):
    return answer.json()["errors"][0]["code"]


def begin(client, name="a"):
    answer = client.post(f"/v2/{name}/blobs/uploads/")
    assert answer.status_code == 202
    assert answer.headers["range"] == "0-0"
    assert answer.headers["location"].endswith(answer.headers["docker-upload-uuid"])
    return answer.headers["location"]


def push(client, data=DATA, name="a"):
    digest = Digest.of(data)
    answer = client.put(begin(client, name), params={"digest": str(digest)}, content=data)
    assert answer.status_code == 201
    return answer


def test_push_and_pull(client):
    answer = push(client)
    assert answer.headers["location"] == f"/v2/a/blobs/{SHA256}"
    assert answer.headers["docker-content-digest"] == str(SHA256)
    for method in ("GET", "HEAD"):
        got = client.request(method, answer.headers["location"])
        assert got.status_code == 200
        assert got.content == (DATA if method == "GET" else b"")
        assert got.headers["content-length"] == str(len(DATA))
        assert got.headers["etag"] == f'"{SHA256}"'
        assert got.headers["docker-content-digest"] == str(SHA256)
        assert got.headers["accept-ranges"] == "bytes"
        assert got.headers["content-type"] == BLOB_TYPE


@pytest.mark.parametrize(
    ("header", "part"),
    [("bytes=0-0", (0, 1)), ("bytes=1000000-", (1_000_000, None)), ("bytes=-5", (-5, None))],
)
def test_ranges(client, header, part):
    push(client)
    answer = client.get(f"/v2/a/blobs/{SHA256}", headers={"Range": header})
    assert answer.status_code == 206
    assert answer.content == DATA[slice(*part)]
    assert answer.headers["content-length"] == str(len(answer.content))
    start = part[0] % len(DATA)
    stop = start + len(answer.content) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{stop}/{len(DATA)}"
    head = client.head(f"/v2/a/blobs/{SHA256}", headers={"Range": header})
    assert (head.status_code, head.content) == (206, b"")


def test_ranges_that_are_not_honoured(client):
    push(client)
    path = f"/v2/a/blobs/{SHA256}"
    beyond = client.get(path, headers={"Range": f"bytes={len(DATA)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(DATA)}"
    assert client.get(path, headers={"Range": "bytes=0-1,4-5"}).content == DATA
    assert client.get(path, headers={"Range": "lines=0-1"}).content == DATA
    other = {"Range": "bytes=0-1", "If-Range": '"other"'}
    assert client.get(path, headers=other).status_code == 200
    same = {"Range": "bytes=0-1", "If-Range": f'"{SHA256}"'}
    assert client.get(path, headers=same).status_code == 206


def test_empty_blob(client):
    answer = push(client, b"")
    assert client.get(answer.headers["location"]).content == b""


def test_not_modified(client):
    push(client)
    path = f"/v2/a/blobs/{SHA256}"
    assert client.get(path, headers={"If-None-Match": f'"{SHA256}"'}).status_code == 304


def test_unknown_blob(client):
    assert code(client.get(f"/v2/a/blobs/{SHA256}")) == "BLOB_UNKNOWN"
    assert code(client.get("/v2/a/blobs/sha256:nope")) == "DIGEST_INVALID"


def test_chunks_in_order(client):
    location = begin(client)
    half = len(DATA) // 2
    first = {"Content-Range": f"0-{half - 1}"}
    answer = client.patch(location, content=DATA[:half], headers=first)
    assert answer.status_code == 202
    assert answer.headers["range"] == f"0-{half - 1}"
    status = client.get(location)
    assert (status.status_code, status.headers["range"]) == (204, f"0-{half - 1}")
    again = client.patch(location, content=DATA[:half], headers=first)
    assert (again.status_code, code(again)) == (416, "BLOB_UPLOAD_INVALID")
    assert again.headers["range"] == f"0-{half - 1}"
    gap = {"Content-Range": f"{half + 1}-{len(DATA) - 1}"}
    assert client.patch(location, content=DATA[half + 1 :], headers=gap).status_code == 416
    last = {"Content-Range": f"{half}-{len(DATA) - 1}"}
    path = f"{location}?digest={SHA256}"
    assert client.put(path, content=DATA[half:], headers=last).status_code == 201
    assert client.get(f"/v2/a/blobs/{SHA256}").content == DATA
    assert client.get(location).status_code == 404


def test_streamed_chunks(client):
    location = begin(client)
    pieces = [DATA[i : i + 70_000] for i in range(0, len(DATA), 70_000)]
    assert client.patch(location, content=iter(pieces)).status_code == 202
    assert client.put(location, params={"digest": str(SHA256)}).status_code == 201
    assert client.get(f"/v2/a/blobs/{SHA256}").content == DATA


def test_content_range_must_be_that_of_the_body(client):
    location = begin(client)
    for header in ("0-5", "x-y", "bytes 5-4"):
        answer = client.patch(location, content=b"abc", headers={"Content-Range": header})
        assert (answer.status_code, code(answer)) == (400, "SIZE_INVALID")


def test_single_post_with_sha512(client):
    digest = Digest.of(DATA, "sha512")
    answer = client.post("/v2/a/blobs/uploads/", params={"digest": str(digest)}, content=DATA)
    assert answer.status_code == 201
    assert client.get(f"/v2/a/blobs/{digest}").content == DATA


def test_wrong_digest_leaves_nothing(client):
    wrong = Digest.of(b"other")
    location = begin(client)
    answer = client.put(location, params={"digest": str(wrong)}, content=DATA)
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert client.get(location).status_code == 404
    posted = client.post("/v2/a/blobs/uploads/", params={"digest": str(wrong)}, content=DATA)
    assert code(posted) == "DIGEST_INVALID"
    for digest in (wrong, SHA256):
        assert client.head(f"/v2/a/blobs/{digest}").status_code == 404


def test_finish_without_a_digest(client):
    location = begin(client)
    assert code(client.put(location, content=DATA)) == "DIGEST_INVALID"
    unknown = client.put(location, params={"digest": "md5:" + "0" * 32}, content=DATA)
    assert code(unknown) == "DIGEST_INVALID"


def test_cancel(client):
    location = begin(client)
    assert client.delete(location).status_code == 204
    assert client.get(location).status_code == 404
    assert code(client.patch(location, content=b"x")) == "BLOB_UPLOAD_UNKNOWN"
    assert client.get(begin(client).replace("/v2/a/", "/v2/b/")).status_code == 404


def test_mount(client):
    push(client, name="source/app")
    path = f"/v2/target/blobs/uploads/?mount={SHA256}&from=source/app"
    answer = client.post(path)
    if answer.status_code == 202:  # not every registry can
        assert answer.headers["location"]
        return
    assert answer.status_code == 201
    assert client.get(f"/v2/target/blobs/{SHA256}").content == DATA
    assert client.post(f"/v2/target/blobs/uploads/?mount={SHA256}").status_code == 201
    for other in ("nowhere", "../x"):
        missing = client.post(f"/v2/b/blobs/uploads/?mount={SHA256}&from={other}")
        assert missing.status_code == 202


def test_a_blob_larger_than_allowed():
    client = TestClient(application(MemoryRegistry(), OPEN, Limits(blob=10)))
    location = begin(client)
    assert client.patch(location, content=b"x" * 6).status_code == 202
    for body in (b"x" * 5, iter([b"x" * 5])):
        answer = client.patch(location, content=body)
        assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")
    assert client.get(location).headers["range"] == "0-5"


def test_delete():
    client = TestClient(application(MemoryRegistry(), OPEN))
    push(client)
    assert client.delete(f"/v2/a/blobs/{SHA256}").status_code == 202
    assert client.delete(f"/v2/a/blobs/{SHA256}").status_code == 404
    plain = TestClient(application(PlainRegistry(), OPEN))
    assert plain.delete(f"/v2/a/blobs/{SHA256}").status_code == 405


def test_wrong_bytes_of_a_remote_are_not_sent_whole():
    registry = MemoryRegistry()
    repository = registry.repository("a")
    repository._content[SHA256] = DATA[:-1] + b"!"
    assert repository.find(SHA256) == Descriptor(BLOB_TYPE, SHA256, len(DATA))
    client = TestClient(application(registry, OPEN))
    with client.stream("GET", f"/v2/a/blobs/{SHA256}") as answer:
        received = b"".join(answer.iter_raw())
    assert len(received) < len(DATA)


def test_methods_that_are_none(client):
    answer = client.put(f"/v2/a/blobs/{SHA256}", content=b"x")
    assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
    assert answer.headers["allow"] == "DELETE, GET, HEAD"
