"""`killick inspect` and `killick history`: what an image is, in docker's words."""

import json

import pytest

import images as make
from cli_runner import run
from killick.platforms import Platform
from local_store import content, keep

HOST = Platform.host()
OTHER = make.ARM64 if HOST.architecture != "arm64" else make.AMD64


def test_inspect_has_dockers_fields():
    d = keep(lambda r: make.image(r, {"a": b"b"}, HOST, layers=2))
    (found,) = run("inspect", "golftrack:1.5").json
    manifest = json.loads(content(d))
    assert found["Id"] == manifest["config"]["digest"]
    assert found["RepoTags"] == ["golftrack:1.5"]
    assert found["RepoDigests"] == [f"golftrack@{d.digest}"]
    assert found["Digest"] == str(d.digest)
    assert found["MediaType"] == make.OCI_MANIFEST
    assert found["Created"] == "2026-11-01T12:00:00Z"
    assert (found["Os"], found["Architecture"]) == (HOST.os, HOST.architecture)
    assert found["Config"]["Cmd"] == ["/bin/sh"]
    assert found["Config"]["Labels"] == {"org.example": "yes"}
    assert found["Config"]["Entrypoint"] == []
    assert found["RootFS"]["Type"] == "layers"
    assert len(found["RootFS"]["Layers"]) == 2
    parts = [manifest["config"], *manifest["layers"]]
    assert found["Size"] == sum({p["digest"]: p["size"] for p in parts}.values())
    assert found["Manifests"] is None


def test_inspect_of_several_platforms_lists_them_and_shows_one():
    d = keep(make.multi_platform)
    (found,) = run("inspect", "golftrack:1.5", "--platform", "linux/arm64").json
    assert found["Digest"] == str(d.digest)
    assert found["Architecture"] == "arm64"
    assert [child["Platform"] for child in found["Manifests"]] == ["linux/amd64", "linux/arm64"]
    assert found["Manifest"]["Digest"] == found["Manifests"][1]["Digest"]
    assert run("inspect", "golftrack:1.5").json[0]["Architecture"] == HOST.architecture
    ran = run("inspect", "golftrack:1.5", "--platform", "windows/amd64")
    assert ran.status == 4
    assert "linux/amd64, linux/arm64" in ran.err


def test_the_platform_of_a_single_image_is_checked():
    keep(lambda r: make.image(r, platform=OTHER))
    assert run("inspect", "golftrack:1.5").json[0]["Architecture"] == OTHER.architecture
    assert run("inspect", "golftrack:1.5", "--platform", str(HOST)).status == 4


def test_where_only_another_platform_is_held_that_one_is_shown():
    def partial(repository):
        held = make.image(repository, platform=OTHER)
        absent = make.Descriptor.of(make.OCI_MANIFEST, b"never seen")
        return make.index(repository, [(absent, HOST), (held, OTHER)])

    keep(partial)
    (found,) = run("inspect", "golftrack:1.5").json
    assert found["Architecture"] == OTHER.architecture
    assert [child["Held"] for child in found["Manifests"]] == [False, True]


def test_an_index_in_an_index_is_gone_into():
    keep(lambda r: make.index(r, [(make.multi_platform(r), None)]))
    assert run("inspect", "golftrack:1.5").json[0]["Architecture"] == HOST.architecture


def test_any_digest_or_its_beginning_leads_to_the_image():
    d = keep(lambda r: make.image(r, {"a": b"b"}, HOST))
    (found,) = run("inspect", str(d.digest)).json
    for text in (d.digest.encoded, d.digest.encoded[:12], found["Id"]):
        assert run("inspect", text).json == [found]


def test_one_that_is_missing_does_not_hide_the_others():
    keep(lambda r: make.image(r, platform=HOST))
    ran = run("inspect", "nothing", "golftrack:1.5", "nothing:2")
    assert ran.status == 4
    assert [found["RepoTags"] for found in ran.json] == [["golftrack:1.5"]]
    assert ran.err.count("\n") == 2
    missing = run("inspect", "nothing")
    assert (missing.status, missing.json) == (4, [])


def test_inspect_by_template():
    d = keep(make.multi_platform)
    form = "{{.Digest}} {{json .Config.Cmd}} {{index .Config.Labels `org.example`}}"
    assert run("inspect", "-f", form, "golftrack:1.5").lines == [f'{d.digest} ["/bin/sh"] yes']
    form = "{{range .Manifests}}{{.Platform}} {{end}}"
    assert run("inspect", "--format", form, "golftrack:1.5").lines == ["linux/amd64 linux/arm64 "]
    assert run("inspect", "-f", "{{.Config.Entrypiont}}", "golftrack:1.5").status == 2
    ran = run("inspect", "--format", "json", "golftrack:1.5")
    assert len(ran.lines) == 1
    assert ran.json[0]["Digest"] == str(d.digest)


def test_an_artifact_is_shown_as_what_it_is():
    keep(make.artifact)
    (found,) = run("inspect", "golftrack:1.5").json
    assert found["ArtifactType"] == "application/vnd.example.sbom"
    assert found["Annotations"] == {"org.example.kind": "sbom"}
    assert found["Id"] == found["Digest"]
    ran = run("history", "golftrack:1.5")
    assert ran.status == 1
    assert "application/vnd.example.sbom" in ran.err


HISTORY = [
    {"created": "2026-11-01T00:00:00Z", "created_by": "ADD rootfs.tar /", "comment": "first"},
    {"created": "2026-11-02T00:00:00Z", "created_by": "ENV A=b", "empty_layer": True},
    {"created": "2026-11-03T00:00:00Z", "created_by": "RUN " + "x" * 100 + "\x1b[2J"},
]


@pytest.fixture
def built():
    """An image of two layers and three steps; the layers' sizes, the first one first."""
    sizes = []

    def build(repository):
        layers = [make.put(repository, make.OCI_LAYER_GZIP, b"x" * n) for n in (1000, 2000)]
        sizes.extend(layer.size for layer in layers)
        config = HOST.to_json() | {"history": HISTORY, "rootfs": {"diff_ids": []}}
        document = {
            "schemaVersion": 2,
            "mediaType": make.OCI_MANIFEST,
            "config": make.put(repository, make.OCI_CONFIG, json.dumps(config).encode()).to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        return make.put(repository, make.OCI_MANIFEST, json.dumps(document).encode())

    keep(build)
    return sizes


def test_history_is_dockers_with_the_last_step_first(built):
    heading, *rows = run("history", "golftrack:1.5").lines
    assert heading.split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert [row.split()[0] == "<missing>" for row in rows] == [False, True, True]
    assert rows[0].split()[-1] == "2kB"
    assert "RUN xxx" in rows[0]
    assert "…" in rows[0]
    assert " 0B " in rows[1]
    assert rows[2].endswith("1kB       first")


def test_history_aligns_layers_with_the_steps_that_made_them(built):
    steps = [json.loads(line) for line in run("history", "golftrack:1.5", "--json").lines]
    assert [step["Size"] for step in steps] == [2000, 0, 1000]
    assert [step["Layer"] is None for step in steps] == [False, True, False]
    assert [step["ID"] is None for step in steps] == [False, True, True]
    assert steps[1]["CreatedBy"] == "ENV A=b"


def test_history_in_full_and_exactly(built):
    ran = run("history", "--no-trunc", "--no-human", "golftrack:1.5")
    assert "x" * 100 + "\\x1b[2J" in ran.out
    assert "\x1b" not in ran.out
    assert "2026-11-03T00:00:00" in ran.lines[1]
    assert " 2000 " in ran.lines[1]
    assert run("history", "-q", "--no-trunc", "golftrack:1.5").lines[0].startswith("sha256:")


def test_layers_of_which_the_config_says_nothing_are_steps_too():
    keep(lambda r: make.image(r, platform=HOST, layers=3))
    assert len(run("history", "golftrack:1.5").lines) == 4

    def silent(repository):
        config = make.put(repository, make.OCI_CONFIG, json.dumps(HOST.to_json()).encode())
        layer = make.put(repository, make.OCI_LAYER_GZIP, b"layer")
        document = {"schemaVersion": 2, "config": config.to_json(), "layers": [layer.to_json()]}
        return make.put(repository, make.OCI_MANIFEST, json.dumps(document).encode())

    keep(silent, tag="silent")
    (step,) = run("history", "golftrack:silent", "--json").lines
    assert json.loads(step)["Size"] == 5
    assert "N/A" in run("history", "golftrack:silent").lines[1]
