"""`where`, `ps`, `what` and the flags: on inventories, with a real registry and without any."""

import contextlib
import json
import socket

import pytest

import images as make
from cli_runner import run
from fleets import AMD64, ARM64
from killick.client import RemoteRegistry
from killick.digest import Digest
from killick.names import Name, Tag
from killick.openvex import Say, compose
from killick.transfer import fetch
from lying import Honest, Site
from stores import START

CVE = "CVE-2026-1234"
STRANGE = Digest.of(b"never heard of")


class Story:
    """A tag that moved from `old` to `new` in `repository`; both are known as documents there."""

    def __init__(self, repository, name):
        self.name, self.tag = name, f"{name}:1.5"
        self.repository = repository
        self.old, self.new = (self._build(text) for text in (b"old", b"new"))
        self.move(self.old)

    def _build(self, text):
        children = [
            (make.image(self.repository, {"app": text}, p, layers=2), p) for p in (AMD64, ARM64)
        ]
        return make.index(self.repository, children)

    def move(self, d):
        self.repository.tag(Tag("1.5"), d)

    def config(self, d):
        """Return the config's digest of the image for amd64."""
        return fetch(self.repository, fetch(self.repository, d).children()[0]).config.digest

    def containers(self):
        """Return an old one (by its ID), a new one (by digest), and one of nobody's."""
        return [
            entry("web-1", self.tag, self.config(self.old)),
            entry("web-2", self.tag, f"{self.name}@{self.new.digest}", state="exited"),
            entry("redis-1", "redis:7", STRANGE),
        ]


def entry(name, image, *claims, **more):
    return {
        "id": f"id-{name}",
        "name": name,
        "image": image,
        "platform": "linux/amd64",
        "state": "running",
        "claims": [{"field": "Image", "value": str(claim)} for claim in claims],
    } | more


@pytest.fixture
def inventory(tmp_path):
    """A function that writes an inventory file of containers, and returns its address."""

    def write(*containers, host="web1", **more):
        path = tmp_path / f"{host}.json"
        fields = {"host": host, "engine": "inventory", "taken": "2026-11-01T12:00:00Z"}
        path.write_text(json.dumps(fields | {"containers": list(containers)} | more))
        return f"file://{path}"

    return write


@pytest.fixture
def story(host, request):
    """The story in a registry that tells its history."""
    name = Name.parse(f"{host}/where/{request.node.name.split('[')[0]}")
    with RemoteRegistry(name.domain) as registry:
        made = Story(registry.repository(name.path), str(name))
        made.move(made.new)
        yield made


def where(*words):
    ran = run("where", *words, "--json")
    assert ran.status == 0, ran.err
    return ran.json


def rows(document):
    return {row["digest"]: [c["name"] for c in row["containers"]] for row in document["digests"]}


def test_each_container_stands_beside_its_digest(story, inventory):
    found = where(story.tag, "--host", inventory(*story.containers()))
    assert rows(found) == {str(story.new.digest): ["web-2"], str(story.old.digest): ["web-1"]}
    new, old = found["digests"]
    assert (new["until"], old["until"]) == (None, new["since"])
    assert (old["status"], old["source"], old["back"]) == ("behind", "registry", 1)
    assert old["platforms"] == ["linux/amd64", "linux/arm64"]
    assert found["reference"] == story.tag
    assert found["summary"] == {"behind": 1, "current": 1}
    (web1,) = old["containers"]
    assert web1 | {} == web1
    expected = {
        "host": "web1",
        "engine": "inventory",
        "id": "id-web-1",
        "name": "web-1",
        "image": story.tag,
        "digest": str(story.old.digest),
        "config": str(story.config(story.old)),
        "platform": "linux/amd64",
        "state": "running",
        "status": "behind",
        "behind_by": 1,
        "advisories": [],
        "confidence": "derived",
        "workload": None,
        "tagged": ["1.5~1"],
    }
    assert {key: web1[key] for key in expected} == expected


def test_the_text_ends_with_the_answer(story, inventory):
    lines = run("where", story.tag, "--host", inventory(*story.containers())).lines
    assert lines[0] == story.tag
    assert lines[2].startswith(f"{story.new.digest}   1.5   since ")
    assert lines[-1] == (
        f"1 of 2 containers run, or would when started, what {story.tag} points to;"
        " 1 runs another: web-1 on web1"
    )
    assert any(line.startswith("inventory (web-1): ") for line in lines)


def test_explain_tells_how(story, inventory):
    address = inventory(*story.containers())
    text = run("where", story.tag, "--explain", "--host", address).out
    assert f"Image: {story.config(story.old)} is a config" in text
    found = where(story.tag, "--explain", "--host", address)
    assert any("is a config" in e for e in found["digests"][1]["containers"][0]["evidence"])


def test_a_flag_decides_the_status(story, inventory):
    address = inventory(*story.containers())
    assert run("where", story.tag, "--host", address, "--fail-on", "affected").status == 0
    ran = run("flag", f"{story.tag}~1", "--id", CVE, "--fixed-by", story.tag)
    assert ran.lines == [
        f"{story.old.digest}: affected {CVE}",
        f"{story.new.digest}: fixed {CVE}",
    ]
    ran = run("where", story.tag, "--host", address, "--fail-on", "affected")
    assert ran.status == 3
    assert (
        ran.lines[-1]
        == "1 of 2 containers run the affected image: web-1 on web1; 1 runs the fixed one"
    )
    found = where(story.tag, "--host", address)
    said = found["digests"][1]["containers"][0]["advisories"][0]
    assert (said["id"], said["status"]) == (CVE, "affected")
    assert said["fixed_by"] == [str(story.new.digest)]
    assert found["digests"][0]["advisories"][0]["status"] == "fixed"


def test_what_was_seen_once_is_known_offline(story, inventory, monkeypatch):
    address = inventory(*story.containers())
    online = where(story.tag, "--host", address)
    assert where(story.tag, "--host", address, "--offline") == online


def test_offline_and_unseen_is_unknown(story, inventory):
    ran = run("where", story.tag, "--host", inventory(*story.containers()), "--offline", "--json")
    assert ran.status == 4
    assert json.loads(ran.err)["error"] == "tag-unknown"
    ran = run("ps", "--offline", "--json", "--host", inventory(*story.containers()))
    assert {json.loads(line)["status"] for line in ran.lines} == {"unknown"}


def test_one_moment_or_one_digest_of_the_past(story, inventory):
    address = inventory(*story.containers())
    for text in (f"{story.tag}~1", f"{story.name}@{story.old.digest}"):
        found = where(text, "--host", address)
        assert rows(found) == {str(story.old.digest): ["web-1"]}
        assert found["digests"][0]["containers"][0]["status"] == "behind"


def test_a_failed_engine_is_a_line(story, inventory):
    gone = inventory(host="web9").removesuffix("web9.json") + "nowhere.json"
    good = inventory(*story.containers())
    ran = run("where", story.tag, "--host", good, "--host", gone)
    assert ran.status == 0
    assert "Not asked:" in ran.lines
    assert "1 of the engines could not be asked" in ran.lines[-1]
    assert len(where(story.tag, "--host", good, "--host", gone)["failed"]) == 1
    ran = run("ps", "--host", good, "--host", gone)
    assert ran.status == 0
    assert "could not be asked" in ran.err


def test_images_built_on_it(story, inventory):
    base = fetch(story.repository, fetch(story.repository, story.old).children()[0])
    layers = [d.to_json() for d in base.layers]
    with story.repository.open(base.config) as stream:
        config = json.loads(stream.read())
    config["rootfs"]["diff_ids"].append(str(Digest.of(b"app")))
    put = make.put(story.repository, make.OCI_CONFIG, json.dumps(config).encode())
    layer = make.put(story.repository, make.OCI_LAYER_GZIP, b"app")
    manifest = {
        "schemaVersion": 2,
        "mediaType": make.OCI_MANIFEST,
        "config": put.to_json(),
        "layers": [*layers, layer.to_json()],
    }
    built = make.put(story.repository, make.OCI_MANIFEST, json.dumps(manifest).encode())
    address = inventory(entry("shop", f"{story.name}@{built.digest}", built.digest))
    assert where(story.tag, "--host", address)["derived"] == []
    (found,) = where(story.tag, "--host", address, "--derived")["derived"]
    assert (found["name"], found["built_on"]) == ("shop", [str(story.old.digest)])
    run("flag", f"{story.tag}~1", "--id", CVE)
    ran = run("where", story.tag, "--host", address, "--derived", "--fail-on", "affected")
    assert ran.status == 3


def test_pushed_flags_are_read_back_elsewhere(story, inventory, monkeypatch, tmp_path):
    ran = run("flag", f"{story.tag}~1", "--id", CVE, "--fixed-by", story.tag, "--push")
    assert ran.status == 0, ran.err
    monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "elsewhere"))
    found = where(story.tag, "--host", inventory(*story.containers()))
    assert found["summary"] == {"affected": 1, "fixed": 1}
    sources = {json.loads(line)["source"] for line in run("flags", "--json").lines}
    assert sources == {f"registry:{story.name}"}


def test_a_registry_without_history_shows_what_was_seen(inventory):
    honest = Honest()
    with Site(honest) as site:
        story = Story(honest.repository(), f"{site.domain}/a/b")
        address = inventory(*story.containers())
        where(story.tag, "--host", inventory(host="web2"))
        story.move(story.new)
        found = where(story.tag, "--host", address)
    new, old = found["digests"]
    assert (new["source"], old["source"], old["back"]) == ("observed", "observed", 1)
    assert found["history"] == "observed"
    assert old["containers"][0]["status"] == "behind"
    told = [json.loads(x) for x in run("log", "--observed", "--json", story.tag).lines]
    assert [move["authoritative"] for move in told] == [False, False]


def test_a_digest_known_only_from_a_container_has_no_interval(inventory):
    honest = Honest()
    with Site(honest) as site:
        story = Story(honest.repository(), f"{site.domain}/a/b")
        story.move(story.new)
        named = entry("web-1", story.tag, f"{story.name}@{story.old.digest}")
        found = where(story.tag, "--host", inventory(named))
    row = found["digests"][1]
    assert (row["digest"], row["since"], row["until"]) == (str(story.old.digest), None, None)
    assert (row["status"], row["containers"][0]["status"]) == (None, "third-build")


def test_a_registry_that_is_down_is_told_and_the_record_used(story, inventory):
    honest = Honest()
    with Site(honest) as site:
        plain = Story(honest.repository(), f"{site.domain}/a/b")
        address = inventory(*plain.containers())
        where(plain.tag, "--host", address)
    ran = run("where", plain.tag, "--host", address, "--json")
    assert ran.status == 0
    assert "could not be asked" in ran.err
    assert rows(ran.json)[str(plain.old.digest)] == ["web-1"]


def test_ps_has_dockers_habits(story, inventory):
    address = inventory(*story.containers())
    lines = run("ps", "--host", address).lines
    assert lines[0].split() == ["HOST", "CONTAINER", "IMAGE", "DIGEST", "TAGGED", "STATE", "STATUS"]
    assert [line.split()[1] for line in lines[1:]] == ["redis-1", "web-1"]
    assert run("ps", "-q", "--host", address).lines == ["id-redis-1", "id-web-1"]
    everyone = [json.loads(x) for x in run("ps", "-a", "--json", "--host", address).lines]
    assert {c["name"]: c["status"] for c in everyone} == {
        "redis-1": "unknown",
        "web-1": "behind",
        "web-2": "current",
    }
    shown = run("ps", "--host", address, "--format", "{{.Container}} {{.Tagged}} {{.Status}}").lines
    assert shown[1] == "web-1 1.5~1 behind 1"


def test_ps_flagged_and_fail_on(story, inventory):
    address = inventory(*story.containers())
    assert run("ps", "--flagged", "--host", address, "--fail-on", "affected").status == 0
    run("flag", f"{story.name}@{story.old.digest}", "--id", CVE)
    ran = run("ps", "--flagged", "-q", "--host", address, "--fail-on", "affected")
    assert (ran.status, ran.lines) == (3, ["id-web-1"])


def test_what_explains_every_kind_of_digest(story, inventory):
    address = inventory(*story.containers())
    where(story.tag, "--host", address, "--derived")
    manifest = fetch(story.repository, story.old).children()[0]
    config, layer, *_ = fetch(story.repository, manifest).children()
    kinds = {story.old: "index", manifest: "manifest", config: "config", layer: "layer"}
    for d, kind in kinds.items():
        found = run("what", d.digest.encoded[:12], "--json", "--host", address).json
        assert (found["digest"], found["kind"]) == (str(d.digest), kind)
        stays = {(t["tag"], t["digest"]) for t in found["tags"]}
        assert ("1.5", str(story.old.digest)) in stays
        assert "web-1" in [c["name"] for c in found["containers"]]
    assert found["repositories"] == []
    text = run("what", str(config.digest), "--host", address).lines
    assert text[1].startswith("  the config of an image (its image ID) for linux/amd64, ")
    assert "  not held here" in text


def test_what_of_a_diff_id(story, inventory):
    address = inventory(*story.containers())
    where(story.tag, "--host", address, "--derived")
    manifest = fetch(story.repository, fetch(story.repository, story.old).children()[0])
    with story.repository.open(manifest.config) as stream:
        diff_id = json.loads(stream.read())["rootfs"]["diff_ids"][0]
    found = run("what", diff_id, "--json", "--host", address).json
    assert found["kind"] == "diff"
    assert str(story.old.digest) in [image["digest"] for image in found["images"]]


@pytest.mark.parametrize(
    ("text", "status"),
    [("golftrack:1.5", 2), ("abc", 2), ("abcdef", 4), (str(STRANGE), 4)],
)
def test_what_is_not_known(text, status, inventory):
    assert run("what", text, "--host", inventory()).status == status


def test_unflag_takes_back_what_was_flagged_here(story):
    name = f"{story.name}@{story.old.digest}"
    run("flag", name, "--id", CVE)
    assert len(run("flags", name).lines) == 2
    assert run("unflag", name, "--id", "CVE-2000-1").status == 4
    assert run("unflag", name, "--id", CVE).status == 0
    assert len(run("flags").lines) == 1
    assert run("unflag", name, "--id", CVE).status == 4


def test_flags_are_imported_from_files(story, tmp_path):
    said = [Say(Name.parse(story.name), story.old.digest, "affected", "Take the fix.")]
    vex = compose(CVE, said, "vendor", START)
    path = tmp_path / "golf.openvex.json"
    path.write_bytes(vex.raw)
    ran = run("flags", "--import", path, "--json")
    (row,) = [json.loads(line) for line in ran.lines]
    assert (row["digest"], row["id"], row["status"]) == (str(story.old.digest), CVE, "affected")
    assert (row["source"], row["note"]) == (f"file:{path.name}", "Take the fix.")
    assert "1 of 1 statements" in ran.err
    assert "kept already" in run("flags", "--import", path).err
    assert run("unflag", f"{story.name}@{story.old.digest}", "--id", CVE).status == 4


def test_a_file_that_is_no_openvex_is_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"statements": []}')
    ran = run("flags", "--import", path, "--json")
    assert ran.status == 1
    told = json.loads(ran.err)
    assert (told["error"], told["side"]) == ("bad-content", "file")


@pytest.mark.parametrize(
    "words",
    [
        ("--status", "not_affected"),
        ("--status", "fixed", "--fixed-by", "golftrack:2"),
        ("--justification", "component_not_present"),
        ("--id", " "),
    ],
)
def test_flags_that_make_no_sense(story, words):
    name = f"{story.name}@{story.old.digest}"
    assert run("flag", name, "--id", CVE, *words).status == 2


def test_an_image_can_not_be_its_own_fix(story):
    name = f"{story.name}@{story.old.digest}"
    assert run("flag", name, "--id", CVE, "--fixed-by", name).status == 2


def test_earlier_words_help_where_names_have_vanished(story, inventory):
    run("scan", "--host", inventory(entry("web-1", story.tag, story.config(story.old))))
    bare = entry("web-1", story.tag)
    found = where(story.tag, "--host", inventory(bare))
    assert found["unknown"] == []
    assert rows(found)[str(story.old.digest)] == ["web-1"]


def test_an_engine_that_fails_is_shown_as_it_was_last_seen(story, inventory, tmp_path):
    address = inventory(*story.containers())
    fleet = tmp_path / "home" / "fleet.json"
    fleet.write_text(json.dumps({"engines": {"web1": {"url": address}}}))
    run("scan")
    (tmp_path / "web1.json").unlink()
    found = where(story.tag)
    assert rows(found)[str(story.old.digest)] == ["web-1"]
    assert [f["host"] for f in found["failed"]] == ["web1"]
    assert found["failed"][0]["seen"].startswith("2026-11-01T12:00:00")


def test_hosts_that_were_scanned_count_where_none_is_named(story, inventory):
    run("scan", "--host", inventory(*story.containers()))
    ran = run("where", story.tag, "--json")
    assert rows(ran.json)[str(story.old.digest)] == ["web-1"]
    assert "shown as last seen" in ran.err
    assert "web-1" in run("ps").out


def test_a_registry_that_is_silent_is_not_waited_for_longer_than_an_engine(inventory):
    """Counted are the connections: with a limit of 0.2 seconds each, they are over soon."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        container = {"id": "1", "name": "web-1", "image": f"{host}/golftrack:1.5"}
        address = inventory(container)
        ran = run("ps", "-a", "--host", address, "--timeout", "0.2", "--json")
        silent.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                count += 1
    assert json.loads(ran.lines[0])["status"] == "unknown"
    assert f"{host} could not be asked" in ran.err
    assert 1 <= count <= 2
