"""A registry as it is run, with two workers: what is deleted, kept in place, or let go of."""

import http.client
import json

import pytest

import images
from cli.test_accounts import a_line_to_each_worker, serving
from cli_runner import run
from killick.client import RemoteRegistry
from killick.manifest import MOST_DOCUMENT_BYTES, OCI_MANIFEST
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.transfer import copy, fetch_bytes

SETTINGS = """
workers = 2

[[immutable]]

[[retention]]
name = "only the last"
tags = "nightly"
history_keep_last = 0
"""


@pytest.fixture
def builds():
    memory = MemoryRegistry().repository("m")
    return memory, [images.image(memory, {"n": bytes([n])}) for n in range(3)]


@pytest.fixture
def port(tmp_path):
    settings = tmp_path / "serve.toml"
    settings.write_text(SETTINGS)
    with serving(tmp_path / "registry", "--config", settings) as (port, _):
        yield port


def request(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_is_deleted_by_digest_is_gone_at_once_on_every_worker(port, builds):
    memory, (one, two, _) = builds
    with RemoteRegistry(f"127.0.0.1:{port}") as client:
        remote = client.repository("team/app")
        copy(memory, remote, one, Tag("1.5"))
        copy(memory, remote, two, Tag("1.5"))
        with a_line_to_each_worker(port, 2) as lines:

            def everywhere(path):
                return [line.ask(f"/v2/team/app/{path}").status for line in lines]

            for turn in range(10):
                assert everywhere("manifests/1.5") == [200, 200]
                assert everywhere(f"manifests/{two.digest}") == [200, 200]
                deleting = lines[turn % 2].ask(
                    f"/v2/team/app/manifests/{two.digest}", method="DELETE"
                )
                assert deleting.status == 202
                assert everywhere("manifests/1.5") == [404, 404]
                assert everywhere(f"manifests/{two.digest}") == [404, 404]
                assert everywhere(f"manifests/{one.digest}") == [200, 200]
                for line in lines:
                    answer = line.ask("/v2/team/app/_killick/history/1.5?n=2")
                    told = json.loads(answer.body)["moves"]
                    assert [(m["change"], m["content"]) for m in told] == [
                        ("delete", None),
                        ("create" if turn else "overwrite", "removed"),
                    ]
                copy(memory, remote, two, Tag("1.5"))
    told = run("log", "--remote", f"127.0.0.1:{port}/team/app:1.5").out
    assert "(content removed)" not in told  # it was brought again


def test_log_says_what_is_gone_from_a_registry(port, builds):
    memory, (one, *_) = builds
    with RemoteRegistry(f"127.0.0.1:{port}") as client:
        remote = client.repository("team/app")
        copy(memory, remote, one, Tag("1.5"))
        remote.delete(one)
    told = run("log", "--remote", f"127.0.0.1:{port}/team/app:1.5").out
    assert "pushed (content removed)" in told


def test_versions_are_immutable_by_one_line_of_configuration(port, builds):
    memory, (one, two, _) = builds
    with RemoteRegistry(f"127.0.0.1:{port}") as client:
        copy(memory, client.repository("team/app"), one, Tag("v1.5.0"))
        copy(memory, client.repository("team/app"), one, Tag("v1.5.0"))
        raw = fetch_bytes(memory, two, MOST_DOCUMENT_BYTES)
        copy(memory, client.repository("team/app"), two, Tag("1.5"))
    path = "/v2/team/app/manifests/v1.5.0"
    status, body = request(port, "PUT", path, raw, **{"Content-Type": OCI_MANIFEST})
    assert status == 403
    assert f"team/app:v1.5.0 is immutable: it stands at {one.digest} since " in body.decode()
    assert request(port, "DELETE", path)[0] == 403


def test_what_a_client_of_ours_pushes_is_whole_where_it_was_sparse_before(port, builds):
    """The registry takes sparse images from others; ours are whole, also where one was there."""
    memory, (one, *_) = builds
    raw = fetch_bytes(memory, one, MOST_DOCUMENT_BYTES)
    path = f"/v2/team/app/manifests/{one.digest}"
    assert request(port, "PUT", path, raw, **{"Content-Type": OCI_MANIFEST})[0] == 201
    with RemoteRegistry(f"127.0.0.1:{port}") as client:
        remote = client.repository("team/app")
        assert remote.has(one)
        assert not remote.complete(one)
        copy(memory, remote, one, Tag("1.5"))
        assert remote.complete(one)
    told = json.loads(request(port, "GET", "/v2/team/app/_killick/tags")[1])["tags"]
    assert [(tag["tag"], tag["content"]) for tag in told] == [("1.5", "present")]


def test_rules_let_go_of_history_as_a_chore(port, builds):
    memory, made = builds
    with RemoteRegistry(f"127.0.0.1:{port}") as client:
        for d in made:
            copy(memory, client.repository("team/app"), d, Tag("nightly"))
    chore = "/v2/_killick/chores/retention"
    would = json.loads(request(port, "POST", f"{chore}?dry-run=1")[1])["would"]
    assert (would["history"], would["tags"]) == (2, 0)
    named = {entry["digest"]: entry["why"] for entry in would["first"]}
    assert named == {str(d.digest): "rule only the last: not among the last 0" for d in made[:2]}
