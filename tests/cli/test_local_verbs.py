"""tag, rmi, rollback, gc, verify: names in the store, and what keeps it whole."""

import json

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.names import Tag
from killick.store import Store

APP = "docker.io/library/app"


@pytest.fixture
def moved():
    """`app:1`, which moved twice; its three digests, oldest first."""
    digests = []
    with Store(Session().settings.store) as store:
        repository = store.repository(APP)
        for content in (b"one", b"two", b"three"):
            d = made.image(repository, {"app": content})
            repository.tag(Tag("1"), d)
            digests.append(str(d.digest))
    return digests


def kinds():
    return [json.loads(line)["kind"] for line in run("log", "app", "--json").lines]


def digest_of(reference):
    return run("digest", "--local", reference).out.strip()


def test_a_name_for_the_past_or_for_a_digest(moved):
    assert run("tag", "app:1~2", "oldest").status == 0
    assert run("tag", moved[1], "by-digest").status == 0
    assert run("tag", moved[1][7:15], "by-prefix").status == 0
    assert digest_of("oldest") == moved[0]
    assert digest_of("by-digest") == digest_of("by-prefix") == moved[1]
    assert run("verify").status == 0


@pytest.mark.parametrize("target", ["app@sha256:" + "0" * 64, "app:1~1", "UPPER"])
def test_a_new_name_must_be_one(moved, target):
    assert run("tag", "app:1", target).status == 2


def test_rollback_moves_by_one_and_is_recorded(moved):
    ran = run("rollback", "app:1")
    assert ran.out == f"app:1 rolled back: {moved[2]} → {moved[1]}\n"
    assert digest_of("app:1") == moved[1]
    assert kinds()[0] == "rolled-back"
    assert run("rollback", "app:1", "--to", moved[0]).status == 0
    assert digest_of("app:1") == moved[0]


def test_rollback_brings_a_removed_tag_back(moved):
    run("rmi", "app:1")
    ran = run("rollback", "app:1")
    assert ran.status == 0
    assert f"nothing → {moved[2]}" in ran.out
    assert digest_of("app:1") == moved[2]


def test_rollback_to_what_never_was_is_not_found(moved):
    assert run("rollback", "app:1", "--to", "~9").status == 4
    assert run("rollback", "app:1", "--to", "sha256:" + "0" * 64).status == 4
    assert run("rollback", "none:1").status == 4
    assert run("rollback", "app:1", "--to", "what").status == 2
    assert digest_of("app:1") == moved[2]


def test_a_removed_name_stays_as_its_past(moved):
    ran = run("rmi", "app:1")
    assert ran.out == "Untagged: app:1\n"
    assert run("digest", "--local", "app:1").status == 4
    assert kinds()[0] == "deleted"
    assert digest_of("app:1~1") == moved[2]
    assert run("gc").lines == ["Total reclaimed space: 0B"]


def test_purge_lets_go_at_once(moved):
    ran = run("rmi", "--purge", "app:1")
    assert ran.lines[0] == "Untagged: app:1"
    assert f"Deleted: {moved[2]}" in ran.lines
    assert run("inspect", moved[2]).status == 4
    assert kinds()[0] == "deleted"


def test_by_digest_every_name_has_to_go(moved):
    run("tag", "app:1", "copy:2")
    refused = run("rmi", moved[2])
    assert refused.status == 1
    assert "app:1, copy:2" in refused.err
    ran = run("rmi", "--force", moved[2][7:20])
    assert {"Untagged: app:1", "Untagged: copy:2"} <= set(ran.lines)
    assert run("inspect", moved[2]).status == 4


def test_what_is_not_there_is_not_found(moved):
    ran = run("rmi", "app:none", "none:1", "app:1")
    assert ran.status == 4
    assert ran.out == "Untagged: app:1\n"


def test_of_several_failures_each_says_what_to_do(moved):
    told = run("rmi", "app:none", "none:1").err.splitlines()
    assert [line.count("see killick images") for line in told] == [1, 1]


def test_a_digest_that_nothing_has_is_not_taken_for_a_tag():
    for text in ("sha256:12345678", "sha512:abcdef", "sha256:" + "0" * 64):
        ran = run("inspect", text)
        assert ran.status == 4
        assert f"nothing here has the digest {text}" in ran.err


def test_the_past_is_not_removed_one_by_one(moved):
    assert run("rmi", "app:1~1").status == 2


def test_gc_tells_before_it_acts(moved):
    run("rmi", "--force", moved[0])
    assert run("gc", "--dry-run").lines[-1].startswith("Reclaimable space: ")
    assert digest_of("app:1") == moved[2]


def test_damage_is_found(moved):
    assert run("verify", "app:1").status == 0
    blob = Session().settings.store / "blobs/sha256" / moved[2][7:]
    content = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(content[:-2] + b"x}")
    ran = run("verify", "--all")
    assert ran.status == 3
    assert moved[2] in ran.out
    assert "app:1" in ran.out
    assert run("verify", "app:1", "--all").status == 2


def test_the_digest_of_a_config_means_its_image(moved):
    config = run("inspect", "app:1").json[0]["Id"]
    assert run("tag", config, "by-config").status == 0
    assert digest_of("by-config") == moved[2]


def test_content_of_several_images_means_none_of_them():
    with Store(Session().settings.store) as store:
        repository = store.repository(APP)
        first = made.image(repository, {"app": b"one"})
        d = made.image(repository, {"app": b"one"}, annotations={"org.example": "other"})
        repository.tag(Tag("1"), first)
        repository.tag(Tag("2"), d)
    config = run("inspect", "app:1").json[0]["Id"]
    ran = run("tag", config, "by-config")
    assert ran.status == 2
    assert str(first.digest) in ran.err
    assert str(d.digest) in ran.err
