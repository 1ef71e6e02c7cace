"""cp, save, load, import: images between the store, layouts and archives, under the same digest."""

import json
from itertools import pairwise

import pytest

import images as made
from cli_runner import run
from killick.cli.context import Session
from killick.names import Tag
from killick.platforms import Platform
from killick.store import Store

HOST_PLATFORM = Platform.host()
OTHER = Platform("linux", "s390x")
APP = "docker.io/library/app"


def put(make, tag="1", name=APP):
    with Store(Session().settings.store) as store:
        repository = store.repository(name)
        d = make(repository)
        repository.tag(Tag(tag), d)
        return str(d.digest)


def image(repository):
    return made.image(repository, {"app": b"one"}, HOST_PLATFORM, layers=2)


def two_platforms(repository):
    children = [
        (made.image(repository, {"app": str(p).encode()}, p), p) for p in (HOST_PLATFORM, OTHER)
    ]
    return made.index(repository, children)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A function that changes to another, empty store."""
    return lambda: monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "other"))


def digest_of(reference):
    return run("digest", "--local", reference).out.strip()


def test_a_digest_stays_the_same_through_every_kind_of_endpoint(host, tmp_path):
    digest = put(two_platforms)
    steps = [
        "store:app:1",
        f"{host}/moving/app:1",
        f"{host}/moving/copy:1",
        f"oci:{tmp_path}/layout:1",
        f"oci-archive:{tmp_path}/a.tar:1",
        f"docker-archive:{tmp_path}/d.tar:app:1",
        "store:back:1",
    ]
    for source, target in pairwise(steps):
        ran = run("cp", source, target)
        assert ran.status == 0, (source, target, ran.err)
        assert ran.out.startswith(f"1: digest: {digest} size: ")
    assert digest_of("back:1") == digest
    assert run("verify").status == 0


def test_one_platform_goes_as_the_image_that_it_is(tmp_path):
    digest = put(two_platforms)
    ran = run("cp", "--platform", str(OTHER), "store:app:1", f"oci:{tmp_path}/layout:1")
    assert ran.status == 0
    assert digest not in ran.out
    listed = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    assert len(listed) == 1
    both = f"{HOST_PLATFORM},{OTHER}"
    for platforms in ("linux/riscv64", both):
        assert run("cp", "--platform", platforms, "store:app:1", f"oci:{tmp_path}/x:1").status != 0


def test_all_tags_and_what_refers_to_an_image_are_copied(tmp_path):
    put(image)
    put(image, "2")

    def signed(repository):
        d = image(repository)
        made.artifact(repository, d)
        return d

    put(signed, "3")
    ran = run("cp", "--all-tags", "--referrers", "store:app", f"oci:{tmp_path}/layout")
    assert [line.split()[0] for line in ran.lines] == ["1:", "2:", "3:"]
    assert run("cp", "--all-tags", f"oci:{tmp_path}/layout", "store:again").status == 0
    entries = json.loads((tmp_path / "layout/index.json").read_text())["manifests"]
    assert any(e.get("artifactType") == "application/vnd.example.sbom" for e in entries)


def test_a_wrong_digest_in_the_target_is_refused(tmp_path):
    put(image)
    ran = run("cp", "store:app:1", f"oci:{tmp_path}/layout@sha256:{'0' * 64}")
    assert ran.status == 1
    assert "leave the digest off" in ran.err


def test_the_past_is_no_target(host, tmp_path):
    put(image)
    for target in (
        f"{host}/past/app~1",
        f"{host}/past/app:1~2",
        "store:app:1~1",
        "store:app@{yesterday}",
        f"oci:{tmp_path}/layout:app:1~1",
    ):
        ran = run("cp", "store:app:1", target)
        assert ran.status == 2, target
        assert "is the past" in ran.err
    assert run("tags", f"{host}/past/app").status == 4
    assert run("tags", "--local", "app").lines == ["1"]


def test_an_engine_is_no_endpoint_yet():
    ran = run("cp", "docker-daemon:app:1", "store:app:1")
    assert ran.status == 1
    assert ran.err.count("\n") == 1


def test_a_copy_that_fails_leaves_no_archive(tmp_path):
    ran = run("cp", "store:none:1", f"oci-archive:{tmp_path}/a.tar:1")
    assert ran.status == 4
    assert list(tmp_path.glob("*.tar")) == []


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_save_and_load_keep_tags_and_digests(tmp_path, other, form):
    digests = [put(two_platforms), put(image, "2")]
    file = tmp_path / "saved.tar"
    assert run("save", "app:1", "app:2", "-o", file, "--type", form).status == 0
    other()
    ran = run("load", "-i", file)
    assert ran.lines == ["Loaded image: app:1", "Loaded image: app:2"]
    assert [digest_of("app:1"), digest_of("app:2")] == digests
    assert run("verify").status == 0


def test_archives_go_through_pipes(other):
    digest = put(image)
    saved = run("save", "app:1")
    other()
    assert run("load", stdin=saved.raw).out == "Loaded image: app:1\n"
    assert digest_of("app:1") == digest


def test_load_is_quiet_as_dockers(tmp_path, other):
    put(image)
    run("save", "app:1", "-o", tmp_path / "a.tar")
    other()
    ran = run("load", "-q", "-i", tmp_path / "a.tar")
    assert (ran.out, ran.err) == ("Loaded image: app:1\n", "")


def test_the_same_image_saves_to_the_same_bytes():
    put(two_platforms)
    assert run("save", "app:1").raw == run("save", "app:1").raw


def test_what_is_here_of_an_image_is_saved_and_loaded(host, tmp_path, other):
    digest = put(two_platforms)
    run("cp", "store:app:1", f"{host}/part/app:1")
    other()
    run("pull", f"{host}/part/app:1")
    saved = run("save", f"{host}/part/app:1", "-o", tmp_path / "part.tar")
    assert f"only {HOST_PLATFORM} is here" in saved.err
    run("rmi", f"{host}/part/app:1")
    assert run("load", "-i", tmp_path / "part.tar").status == 0
    assert digest_of(f"{host}/part/app:1") == digest


def test_images_without_a_name_are_given_one(tmp_path, other):
    put(image)
    run("cp", "store:app:1", f"oci-archive:{tmp_path}/a.tar:1")
    other()
    ran = run("load", "-i", tmp_path / "a.tar")
    assert ran.status == 2
    assert "--name" in ran.err
    named = run("load", "-i", tmp_path / "a.tar", "--name", "app")
    assert named.out == "Loaded image: app:1\n"


@pytest.mark.parametrize("content", [b"", b"no tar at all", bytes(4096)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    file = tmp_path / "x.tar"
    file.write_bytes(content)
    ran = run("load", "-i", file)
    assert ran.status == 1
    assert ran.err.count("\n") == 1


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    for words in (("load", "-i"), ("import",)):
        ran = run(*words, tmp_path / "none.tar", *(["app"] if words == ("import",) else []))
        assert ran.status == 4


def test_a_root_file_system_becomes_an_image(tmp_path):
    file = tmp_path / "root.tar"
    file.write_bytes(made.tar({"etc/motd": b"hello"}))
    ran = run("import", file, "app:1", "--platform", "linux/arm64", "--change", 'CMD ["/app"]')
    assert ran.status == 0
    assert ran.out.strip() == digest_of("app:1")
    shown = run("inspect", "app:1", "--platform", "linux/arm64").json[0]
    assert shown["Architecture"] == "arm64"
    assert shown["Config"]["Cmd"] == ["/app"]
    assert run("import", "-", "app:2", stdin=made.tar({"a": b"b"})).status == 0


def test_what_an_archive_tells_of_a_tag_is_kept_as_observed(other, tmp_path):
    first, second = put(image), put(two_platforms)
    run("save", "app:1", "-o", tmp_path / "app.tar")
    other()
    run("load", "-i", tmp_path / "app.tar")
    run("load", "-i", tmp_path / "app.tar")
    told = [
        json.loads(line) for line in run("log", "--observed", "--json", "app:1").out.splitlines()
    ]
    assert [(m["digest"], m["kind"], m["authoritative"]) for m in told] == [
        (second, "tagged", False),
        (first, "tagged", False),
    ]
    assert [m["kind"] for m in map(json.loads, run("log", "--json", "app").out.splitlines())] == [
        "loaded"
    ]
