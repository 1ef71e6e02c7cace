"""Where a blob may be mounted from, and what may be said when an upload begins."""

from dataclasses import dataclass

import pytest
from starlette.testclient import TestClient

from killick.digest import Digest
from killick.memory import MemoryRegistry
from killick.server import OPEN, Everybody, Limits, application
from killick.store import Store
from stores import put

DATA = b"a layer that many have"
DIGEST = Digest.of(DATA)
PATH = f"/v2/mine/blobs/uploads/?mount={DIGEST}"


@dataclass(frozen=True)
class Careful:
    """A caller who may push to `mine`, and pull from there and from what begins with `open`."""

    name: str = "mate"

    def may(self, right, repository, /):
        return repository == "mine" or (right == "pull" and repository.startswith("open"))


class Watch(Everybody):
    """A gate that lets only the careful in."""

    def recall(self, credentials, /):
        return Careful()


@pytest.fixture(params=["memory", "store"])
def registry(request, tmp_path):
    if request.param == "memory":
        yield MemoryRegistry()
    else:
        with Store(tmp_path / "store") as store:
            yield store


@pytest.fixture
def client(registry):
    return TestClient(application(registry, Watch()))


def test_a_mount_without_a_source_finds_what_the_caller_may_pull(registry, client):
    for name in ("secret/a", "secret/b", "open/app"):
        put(registry.repository(name), DATA)
    assert sorted(registry.holders(DIGEST)) == ["open/app", "secret/a", "secret/b"]
    answer = client.post(PATH)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/mine/blobs/{DIGEST}"
    assert answer.headers["docker-content-digest"] == str(DIGEST)
    assert client.get(answer.headers["location"]).content == DATA


@pytest.mark.parametrize("source", ["", "&from=secret/a", "&from=Not_A_Name", "&from=nowhere"])
def test_what_the_caller_may_not_pull_is_as_if_it_were_not_there(registry, client, source):
    put(registry.repository("secret/a"), DATA)
    answer = client.post(PATH + source)
    assert answer.status_code == 202
    assert client.head(f"/v2/mine/blobs/{DIGEST}").status_code == 404
    done = client.put(answer.headers["location"], params={"digest": str(DIGEST)}, content=DATA)
    assert done.status_code == 201


def test_what_nobody_has_is_not_mounted(client):
    assert client.post(PATH).status_code == 202


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_an_upload_may_say_of_which_algorithm_its_digest_will_be(registry, client, algorithm):
    answer = client.post(f"/v2/mine/blobs/uploads/?digest-algorithm={algorithm}")
    assert answer.status_code == 202
    for digest in (Digest.of(DATA, algorithm), Digest.of(DATA, "sha512"), DIGEST):
        begun = client.post(f"/v2/mine/blobs/uploads/?digest-algorithm={algorithm}")
        sent = client.patch(begun.headers["location"], content=DATA)
        done = client.put(sent.headers["location"], params={"digest": str(digest)})
        assert (done.status_code, done.headers["docker-content-digest"]) == (201, str(digest))
        assert client.get(f"/v2/mine/blobs/{digest}").content == DATA


@pytest.mark.parametrize("algorithm", ["md5", "sha256:", "x" * 5000])
def test_an_algorithm_that_is_none_is_refused(client, algorithm):
    answer = client.post(f"/v2/mine/blobs/uploads/?digest-algorithm={algorithm}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"


def test_a_registry_may_say_how_long_pieces_had_better_be(registry):
    client = TestClient(application(registry, OPEN, Limits(chunk=65536)))
    begun = client.post("/v2/mine/blobs/uploads/")
    assert begun.headers["oci-chunk-min-length"] == "65536"
    sent = client.patch(begun.headers["location"], content=DATA)
    assert sent.status_code == 202
    plain = TestClient(application(registry, OPEN)).post("/v2/mine/blobs/uploads/")
    assert "oci-chunk-min-length" not in plain.headers
