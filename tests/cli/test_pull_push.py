"""pull and push, between a store and a registry that is served for real."""

import json

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.names import Tag
from killick.platforms import Platform
from killick.store import Store
from local_store import keep
from lying import Honest, Site

HOST_PLATFORM = Platform.host()
OTHER = Platform("linux", "s390x")


@pytest.fixture
def name(host, request):
    """A repository of this test's own in the registry."""
    return f"{host}/{request.node.name.split('[')[0].lower().replace('_', '-')}/app"


@pytest.fixture
def publish(tmp_path):
    """A function that pushes an image from another machine, and returns its digest."""
    root = tmp_path / "elsewhere"

    def push(reference, make, *words):
        with Store(root) as store:
            repository = store.repository(reference.rpartition(":")[0])
            d = make(repository)
            repository.tag(Tag(reference.rpartition(":")[2]), d)
        ran = run_elsewhere(root, "push", reference, *words)
        assert ran.status == 0, ran.err
        return str(d.digest)

    return push


def run_elsewhere(root, *words):
    """Run a command over another store, as another machine would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILLICK_STORE", str(root))
        return run(*words)


def one(content, platform=HOST_PLATFORM):
    return lambda repository: made.image(repository, {"app": content}, platform, layers=2)


def two_platforms(repository):
    children = [
        (made.image(repository, {"app": str(p).encode()}, p), p) for p in (HOST_PLATFORM, OTHER)
    ]
    return made.index(repository, children)


def local_tags(name):
    with Store(Session().settings.store) as store:
        repository = store.repository(name)
        return {str(tag): str(repository.resolve(tag).digest) for tag in repository.tags()}


def test_pull_ends_with_dockers_lines(name, publish):
    digest = publish(f"{name}:1", one(b"one"))
    ran = run("pull", f"{name}:1")
    assert ran.status == 0
    assert ran.lines == [
        f"Digest: {digest}",
        f"Status: Downloaded newer image for {name}:1",
        f"{name}:1",
    ]
    assert f"1: Pulling from {name.partition('/')[2]}" in ran.err.splitlines()
    assert ran.err.count(": Pulling\n") == ran.err.count(": Download complete\n") == 3
    again = run("pull", f"{name}:1")
    assert again.lines[1] == f"Status: Image is up to date for {name}:1"
    assert "Download complete" not in again.err


def test_quiet_prints_the_canonical_name_only(name, publish):
    digest = publish(f"{name}:latest", one(b"one"))
    ran = run("pull", "-q", name)
    assert (ran.out, ran.err) == (f"{name}@{digest}\n", "")


def test_a_tag_that_moved_is_told_and_its_past_stays(name, publish):
    old = publish(f"{name}:1.5", one(b"bug"))
    run("pull", f"{name}:1.5")
    new = publish(f"{name}:1.5", one(b"fix"))
    ran = run("pull", f"{name}:1.5")
    assert f"{name}:1.5 moved: {old[7:19]} → {new[7:19]}" in ran.err
    assert local_tags(name) == {"1.5": new}
    assert run("tag", f"{name}:1.5~1", "before").status == 0
    assert local_tags("docker.io/library/before") == {"latest": old}
    kinds = [json.loads(line)["kind"] for line in run("log", name, "--json").lines]
    assert kinds.count("pulled") == 2


def test_by_digest_no_tag_moves(name, publish):
    digest = publish(f"{name}:1", one(b"one"))
    ran = run("pull", f"{name}@{digest}")
    assert ran.lines[1:] == [
        f"Status: Downloaded newer image for {name}@{digest}",
        f"{name}@{digest}",
    ]
    assert local_tags(name) == {}
    assert run("gc").status == 0
    assert run("inspect", f"{name}@{digest}").status == 0


def test_tag_and_digest_move_the_tag_while_they_agree(name, publish):
    digest = publish(f"{name}:1", one(b"one"))
    assert run("pull", "-q", f"{name}:1@{digest}").out == f"{name}@{digest}\n"
    assert local_tags(name) == {"1": digest}


def test_a_tag_that_has_moved_on_is_a_warning(name, publish):
    old = publish(f"{name}:1", one(b"one"))
    new = publish(f"{name}:1", one(b"two"))
    ran = run("pull", "-q", f"{name}:1@{old}")
    assert (ran.status, ran.out) == (0, f"{name}@{old}\n")
    assert f"warning: {name}:1 has moved on to {new}" in ran.err
    assert local_tags(name) == {}


def test_one_platform_of_an_index_is_pulled_and_the_index_kept(name, publish, tmp_path):
    digest = publish(f"{name}:1", two_platforms)
    assert run("pull", "-q", f"{name}:1").out == f"{name}@{digest}\n"
    refused = run("push", f"{name}:1")
    assert refused.status == 1
    assert "--platform" in refused.err
    run("tag", f"{name}:1", f"{name}-other:1")
    assert run("push", f"{name}-other:1").status == 1
    assert run("tags", f"{name}-other").status == 4
    pushed = run("push", "--platform", str(HOST_PLATFORM), f"{name}-other:1")
    assert pushed.status == 0
    assert digest not in pushed.out
    assert run("pull", "--platform", "all", f"{name}:1").status == 0
    assert run("tag", f"{name}:1", f"{name}-other:1").status == 0
    assert run("push", f"{name}-other:1").lines[-1].startswith(f"1: digest: {digest} size: ")


def test_several_platforms_can_be_named(name, publish):
    digest = publish(f"{name}:1", two_platforms)
    words = ("--platform", f"{HOST_PLATFORM},{OTHER}")
    assert run("pull", "-q", *words, f"{name}:1").out == f"{name}@{digest}\n"
    assert run("push", f"{name}:1").status == 0


@pytest.mark.parametrize("make", [two_platforms, one(b"one")], ids=["index", "manifest"])
def test_a_platform_that_is_not_there_is_not_found(name, publish, make):
    publish(f"{name}:1", make)
    ran = run("pull", "--platform", "linux/riscv64", f"{name}:1")
    assert (ran.status, ran.out) == (4, "")
    assert "linux/riscv64" in ran.err
    assert str(HOST_PLATFORM) in ran.err
    assert local_tags(name) == {}


def test_push_says_what_the_tag_is_now(name, publish, tmp_path):
    digest = publish(f"{name}:1", one(b"one"))
    run("pull", f"{name}:1")
    file = tmp_path / "digest"
    ran = run("push", f"{name}:1", "--digest-file", file)
    assert ran.out == f"1: digest: {digest} size: {len(run('manifest', f'{name}:1').raw)}\n"
    assert file.read_text() == f"{digest}\n"


def test_all_tags_go_at_once(name, publish):
    digest = publish(f"{name}:1", one(b"one"))
    run("pull", f"{name}:1")
    for tag in ("2", "3"):
        run("tag", f"{name}:1", f"{name}-copy:{tag}")
    ran = run("push", "--all-tags", f"{name}-copy")
    assert [line.split()[0] for line in ran.lines] == ["2:", "3:"]
    assert all(digest in line for line in ran.lines)
    assert run("tags", f"{name}-copy").lines == ["2", "3"]
    assert run("push", "--all-tags", f"{name}-copy:2").status == 2


@pytest.mark.parametrize("condition", [("--if-absent",), ("--if-digest", "sha256:" + "0" * 64)])
def test_a_condition_needs_a_registry_that_announces_it(condition):
    keep(one(b"one"), "127.0.0.1:1/app", "1")
    with Site(Honest()) as site:
        name = f"{site.domain}/a/b"
        run("tag", "127.0.0.1:1/app:1", f"{name}:1")
        ran = run("push", *condition, f"{name}:1")
        assert ran.status == 1
        assert "does not announce compare-and-swap" in ran.err
        assert "nothing was sent" in ran.err
        assert {seen.method for seen in site.seen} == {"GET"}


def test_a_tag_that_must_not_exist_is_pushed_once(name, publish):
    digest = publish(f"{name}:1", one(b"one"))
    run("pull", f"{name}:1")
    run("tag", f"{name}:1", f"{name}:2")
    ran = run("push", "--if-absent", f"{name}:2")
    assert (ran.status, ran.lines[-1].split()[2]) == (0, digest)
    again = run("push", "--if-absent", f"{name}:2")
    assert again.status == 1
    assert digest in again.err


def test_a_tag_moves_only_from_where_it_was_expected(name, publish):
    old = publish(f"{name}:1", one(b"one"))
    run("pull", f"{name}:1")
    run("tag", f"{name}:1", "old:1")
    new = publish(f"{name}:1", one(b"two"))
    run("tag", "old:1", f"{name}:1")
    refused = run("push", "--if-digest", old, f"{name}:1")
    assert refused.status == 1
    assert new in refused.err
    assert run("digest", f"{name}:1").out == f"{new}\n"
    assert run("push", "--if-digest", new, f"{name}:1").status == 0
    assert run("digest", f"{name}:1").out == f"{old}\n"


def test_blobs_are_mounted_from_where_they_are(name, publish):
    publish(f"{name}:1", one(b"one"))
    run("pull", f"{name}:1")
    run("tag", f"{name}:1", f"{name}-sister:1")
    ran = run("push", f"{name}-sister:1")
    assert ran.status == 0
    assert ran.err.count("Mounted from another repository") == 3


def test_progress_can_be_silent(name, publish):
    publish(f"{name}:1", one(b"one"))
    ran = run("pull", "--progress", "none", f"{name}:1")
    assert "Download complete" not in ran.err
    assert ran.status == 0


def test_one_failure_does_not_keep_others_from_being_pulled(name, publish):
    publish(f"{name}:1", one(b"one"))
    ran = run("pull", "-q", f"{name}:none", f"{name}:1")
    assert ran.status == 4
    assert len(ran.lines) == 1
