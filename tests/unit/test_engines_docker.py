"""Docker and Podman as they answer, with all that an answer may lack; and nothing but questions."""

import contextlib
import json
import socket
import threading
from datetime import UTC, datetime

import pytest

from engine_doubles import DIGEST, docker, serving
from killick.errors import ContentError, Denied, KillickError, ProtocolError, Unreachable
from killick.fleet.engines import engine_at, http
from killick.observation import Claim, Workload
from killick.platforms import Platform

SECONDS = 20
INDEX, MANIFEST = ("sha256:" + digit * 64 for digit in "ab")


def look(double, name="web1"):
    return engine_at(double.url, name).snapshot(SECONDS)


def only(double):
    (container,) = look(double).containers
    return container


def test_a_container_is_told_with_every_digest_and_its_field():
    with serving(docker("web-1")) as double:
        found = look(double)
    (container,) = found.containers
    assert (found.host, found.engine, found.failure) == ("web1", "docker", None)
    assert (container.id, container.name, container.image) == ("id-web-1", "web-1", "golftrack:1.5")
    assert container.claims == (
        Claim("container.Image", DIGEST),
        Claim("list.ImageID", DIGEST),
        Claim("image.Id", DIGEST),
        Claim("image.RepoDigests", "golftrack@sha256:" + "2" * 64),
    )
    assert container.names == ("golftrack:1.5",)
    assert container.platform == Platform("linux", "amd64")
    assert container.created == datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert container.started == datetime(2026, 11, 1, 12, 0, 1, 500000, tzinfo=UTC)
    assert (container.state, container.labels) == ("running", {"team": "golf"})


def test_what_newer_engines_tell_is_taken():
    table = docker("web-1", api="1.53")
    descriptor = {
        "digest": MANIFEST,
        "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"},
    }
    table["/v1.53/containers/id-web-1/json"]["ImageManifestDescriptor"] = descriptor
    table["/v1.53/containers/json"][0]["ImageManifestDescriptor"] = descriptor
    image = table[f"/v1.53/images/{DIGEST}/json"]
    image |= {"RepoTags": [], "RepoDigests": [], "Descriptor": {"digest": INDEX}}
    image["Identity"] = {"Pull": [{"Repository": "registry.example/golftrack"}]}
    with serving(table) as double:
        container = only(double)
    told = {claim.field: claim.value for claim in container.claims}
    assert told["container.ImageManifestDescriptor.digest"] == MANIFEST
    assert told["list.ImageManifestDescriptor.digest"] == MANIFEST
    assert told["image.Descriptor.digest"] == INDEX
    assert "registry.example/golftrack" in container.names
    assert container.platform == Platform("linux", "arm64", "v8")


def test_words_that_have_become_an_id_are_a_claim_and_no_name():
    table = docker("web-1")
    table["/v1.41/containers/json"][0]["Image"] = DIGEST
    with serving(table) as double:
        container = only(double)
    assert Claim("list.Image", DIGEST) in container.claims
    assert container.names == ("golftrack:1.5",)


@pytest.mark.parametrize(
    ("labels", "workload"),
    [
        (
            {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"},
            Workload("compose", "web", "shop"),
        ),
        ({"com.docker.swarm.service.name": "web"}, Workload("swarm", "web")),
        ({"com.hashicorp.nomad.alloc_id": "a1"}, Workload("nomad", "a1")),
        ({"com.docker.compose.project": "shop"}, None),
        ({}, None),
    ],
)
def test_labels_name_the_workload(labels, workload):
    table = docker("web-1")
    table["/v1.41/containers/id-web-1/json"]["Config"]["Labels"] = labels
    with serving(table) as double:
        assert only(double).workload == workload


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [
        ("1.24", "1.12", "1.24"),
        ("1.53", "1.44", "1.53"),
        ("1.99", "1.44", "1.53"),
        ("1.99", "1.60", "1.60"),
    ],
)
def test_the_newest_version_that_both_know_is_spoken(newest, oldest, spoken):
    table = docker("web-1", api=spoken)
    table["/version"] = {"ApiVersion": newest, "MinAPIVersion": oldest}
    with serving(table) as double:
        assert only(double).name == "web-1"


def test_nothing_but_questions_leave():
    with serving(docker("web-1", "web-2")) as double:
        look(double)
    assert {method for method, _ in double.asked} == {"GET"}
    assert [path for _, path in double.asked].count(f"/v1.41/images/{DIGEST}/json") == 1


def test_a_unix_socket_is_asked_in_the_same_way(tmp_path):
    with serving(docker("web-1"), tmp_path / "docker.sock") as double:
        assert only(double).name == "web-1"
    assert double.headers[0]["host"] == "localhost"


def test_a_container_that_goes_meanwhile_is_told_as_it_was_listed():
    table = docker("web-1", "web-2")
    del table["/v1.41/containers/id-web-1/json"]
    with serving(table) as double:
        first, second = look(double).containers
    assert (first.name, first.image, first.state) == ("web-1", "golftrack:1.5", "unknown")
    assert Claim("list.ImageID", DIGEST) in first.claims
    assert second.state == "running"


def test_an_image_that_is_gone_is_no_failure():
    table = docker("web-1")
    del table[f"/v1.41/images/{DIGEST}/json"]
    with serving(table) as double:
        container = only(double)
    assert [claim.value for claim in container.claims] == [DIGEST, DIGEST]
    assert container.platform is None


def test_fields_of_a_wrong_type_are_as_absent():
    table = docker("web-1")
    table["/v1.41/containers/json"] += [None, [], {"Id": 3}, {"Id": "x", "Names": "y", "Image": {}}]
    table["/v1.41/containers/id-web-1/json"] |= {
        "Name": 1,
        "Created": "yesterday",
        "Config": {"Image": None, "Labels": {"a": 1, "b": "x" * 2000, "c": "kept"}},
        "State": [],
    }
    table[f"/v1.41/images/{DIGEST}/json"] |= {"RepoTags": "x", "RepoDigests": [1, "golftrack"]}
    with serving(table) as double:
        first, second = look(double).containers
    assert (first.name, first.image, first.labels) == ("web-1", "golftrack:1.5", {"c": "kept"})
    assert (first.created, first.started, first.state) == (None, None, "unknown")
    assert (second.id, second.name, second.image) == ("x", "x", "")


PODMAN = {
    "/version": {
        "ApiVersion": "1.41",
        "Components": [{"Name": "Podman Engine", "Details": {"APIVersion": "4.3.1"}}],
    },
    "/v4.3.1/libpod/containers/json": [
        {"Id": "c1", "Names": ["web-1"], "Image": "localhost/golftrack:1.5", "ImageID": "1" * 64}
    ],
    "/v4.3.1/libpod/containers/c1/json": {
        "Id": "c1",
        "Name": "web-1",
        "Image": "1" * 64,
        "ImageDigest": INDEX,
        "ImageName": "localhost/golftrack:1.5",
        "Config": {"Labels": {"PODMAN_SYSTEMD_UNIT": "web.service"}},
        "State": {"Status": "stopped", "StartedAt": "0001-01-01T00:00:00Z"},
    },
    f"/v4.3.1/libpod/images/{'1' * 64}/json": {
        "Id": "1" * 64,
        "Digest": MANIFEST,
        "NamesHistory": ["registry.example/golftrack:1.5", f"registry.example/golftrack@{INDEX}"],
        "Os": "linux",
        "Architecture": "amd64",
    },
}


def test_podman_is_asked_by_its_own_api():
    with serving(PODMAN) as double:
        found = look(double)
    (container,) = found.containers
    assert found.engine == "podman"
    assert container.claims == (
        Claim("container.ImageDigest", INDEX),
        Claim("container.Image", "1" * 64),
        Claim("list.ImageID", "1" * 64),
        Claim("image.Id", "1" * 64),
        Claim("image.Digest", MANIFEST),
        Claim("image.NamesHistory", f"registry.example/golftrack@{INDEX}"),
    )
    assert container.workload == Workload("systemd", "web.service")
    assert (container.state, container.started) == ("exited", None)
    assert container.platform == Platform("linux", "amd64")
    assert "registry.example/golftrack:1.5" in container.names
    assert {method for method, _ in double.asked} == {"GET"}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((403, {"message": "no entry"}), Denied, r"answers 403 \(no entry\)"),
        ((500, {"message": "on fire"}), ProtocolError, "on fire"),
        ((200, {}), ProtocolError, "neither Docker nor Podman"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{not it}}", ContentError, "not valid JSON"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolError, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", Unreachable, "in the middle"),
        (b"", Unreachable, "can't be reached"),
    ],
)
def test_what_answers_otherwise_is_an_error_that_says_so(answer, error, words):
    with serving({"/version": answer}) as double, pytest.raises(error, match=words) as caught:
        look(double)
    assert caught.value.side == "engine"


def test_nobody_there_is_an_error_that_says_where(tmp_path):
    path = tmp_path / "docker.sock"
    with pytest.raises(Unreachable, match=f"{path} can't be reached: no such file"):
        engine_at(f"unix://{path}").snapshot(SECONDS)


def test_an_answer_has_a_greatest_size(monkeypatch):
    monkeypatch.setattr(http, "MOST_ANSWER_BYTES", 100)
    with serving(docker("web-1")) as double, pytest.raises(KillickError, match="too large"):
        look(double)


def test_a_drip_does_not_outlast_the_time_that_there_is():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
                while not stop.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 seconds"):
            engine_at(url).snapshot(0.5)
        stop.set()
        thread.join()


def test_a_connection_that_ends_between_two_questions_is_made_anew():
    table = docker("web-1")
    body = json.dumps(table["/version"]).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    table["/version"] = head + body
    with serving(table) as double:
        assert only(double).name == "web-1"
