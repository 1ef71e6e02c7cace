"""`killick images`: true pairs of tag and digest, and what tags used to mean."""

import io
import json

import pytest

import images as make
from cli_runner import run
from killick.manifest import MOST_DOCUMENT_BYTES, parse_document
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.platforms import Platform
from killick.rules import Policy
from killick.store import Store
from killick.transfer import copy, fetch_bytes
from local_store import content, keep, local_store

HOST = Platform.host()


def build(text, created="2026-11-01T12:00:00Z", **fields):
    return lambda repository: make.image(repository, {"app": text}, HOST, **fields)


@pytest.fixture
def moved():
    """`golftrack:1.5` pushed twice: the digests, the first one first."""
    return [keep(build(text)).digest for text in (b"vulnerable", b"fixed")]


def test_an_empty_store_has_headings_only():
    ran = run("images")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.split() == ["REPOSITORY", "TAG", "DIGEST", "IMAGE", "ID", "CREATED", "SIZE"]


def test_the_columns_are_dockers_with_the_digest_always(moved):
    heading, row = run("images").lines
    assert heading.split("   ")[0] == "REPOSITORY"
    repository, tag, digest, identity, *rest = row.split()
    assert (repository, tag, digest) == ("golftrack", "1.5", str(moved[1]))
    assert len(identity) == 12
    assert rest[-2] == "ago"
    assert "<none>" not in row
    assert run("images", "--digests").out == run("images").out


def test_the_image_id_is_the_config_for_this_machine():
    index = keep(make.multi_platform)
    chosen = parse_document(content(index)).select(HOST)
    manifest = parse_document(content(chosen))
    assert run("images", "-q", "--no-trunc").lines == [str(manifest.config.digest)]
    assert run("images", "-q").lines == [manifest.config.digest.short]


def test_all_also_lists_what_a_tag_used_to_point_to(moved):
    rows = [line.split()[:3] for line in run("images", "-a").lines[1:]]
    assert rows == [
        ["golftrack", "1.5", str(moved[1])],
        ["golftrack", "1.5~1", str(moved[0])],
    ]


def test_all_of_one_tag_is_what_it_points_to_and_what_it_used_to(moved):
    keep(build(b"another"), tag="1.6")
    for pattern in ("golftrack:1.5", "golf*:1.5"):
        tags = run("images", "-a", pattern, "--format", "{{.Tag}}").lines
        assert tags == ["1.5", "1.5~1"]
    assert run("images", "-a", "golftrack:1.5~1", "--format", "{{.Tag}}").lines == ["1.5~1"]
    assert run("images", "golftrack:1.5@{yesterday}").status == 2


def test_images_by_digest_or_its_beginning(moved):
    new = moved[1]
    for pattern in (str(new), new.encoded, new.short, new.short[:6], f"golftrack@{new}"):
        assert run("images", pattern, "--format", "{{.Digest}}").lines == [str(new)]
    identity = run("images", "-q").out.strip()
    assert run("images", "-q", identity).lines == [identity]


def test_json_has_exact_values_an_object_a_line(moved):
    old, new = sorted(
        map(json.loads, run("images", "-a", "--json").lines), key=lambda row: row["Current"]
    )
    assert new["Repository"] == "golftrack"
    assert (new["Tag"], new["Digest"], new["Current"]) == ("1.5", str(moved[1]), True)
    assert (old["Tag"], old["Digest"], old["Current"]) == ("1.5", str(moved[0]), False)
    assert new["ID"].startswith("sha256:")
    assert new["CreatedAt"].startswith("2026-11-01T12:00:00")
    assert isinstance(new["Size"], int)
    assert run("images", "--format", "json").out == run("images", "--json").out


def test_templates_have_dockers_fields(moved):
    form = "{{.Repository}}:{{.Tag}}@{{.Digest}} {{.CreatedAt}}"
    assert run("images", "--format", form).lines == [
        f"golftrack:1.5@{moved[1]} 2026-11-01 12:00:00 +0000 UTC"
    ]
    assert run("images", "--format", r"table {{.ID}}\t{{.Size}}").lines[0] == "IMAGE ID       SIZE"
    assert run("images", "-a", "--format", "{{.Tag}} {{.Current}}").lines == [
        "1.5 true",
        "1.5~1 false",
    ]
    assert run("images", "--format", "{{.Nope}}").status == 2
    assert run("images", "--json", "--format", "{{.ID}}").status == 2


def test_what_has_no_tag_is_listed_by_its_digest():
    with local_store() as store:
        d = build(b"untagged")(store.repository("docker.io/library/golftrack"))
        keep_by_digest(store, d)
    rows = [line.split()[:3] for line in run("images").lines[1:]]
    assert rows == [["golftrack", "<none>", str(d.digest)]]
    assert json.loads(run("images", "--json").out)["Tag"] is None
    assert run("images", "--filter", "dangling=true", "-q").lines
    assert not run("images", "--filter", "dangling=false", "-q").lines


def keep_by_digest(store, d):
    """Do what `pull name@digest` does."""
    repository = store.repository("docker.io/library/golftrack")
    if hasattr(repository, "keep"):
        repository.keep(d)


@pytest.fixture
def several():
    for name, tag in [
        ("golftrack", "1.4"),
        ("golftrack", "1.5"),
        ("team/golftrack", "1.5"),
        ("registry.example:5000/golftrack", "1.5"),
        ("alpine", "latest"),
    ]:
        keep(build(f"{name}{tag}".encode()), name, tag)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["golftrack"], ["golftrack:1.4", "golftrack:1.5"]),
        (["golftrack:1.5"], ["golftrack:1.5"]),
        (["docker.io/library/golftrack:1.5"], ["golftrack:1.5"]),
        (["golf*"], ["golftrack:1.4", "golftrack:1.5"]),
        (["golf*:1.5"], ["golftrack:1.5"]),
        (["*/golftrack"], ["registry.example:5000/golftrack:1.5", "team/golftrack:1.5"]),
        (["[ab]lp?ne"], ["alpine:latest"]),
        (["[^a]lpine"], []),
        (["-f", "reference=alpine"], ["alpine:latest"]),
        (
            ["-f", "reference=alpine", "-f", "reference=team/*"],
            ["alpine:latest", "team/golftrack:1.5"],
        ),
        (["golftrack", "-f", "reference=*:1.4"], ["golftrack:1.4"]),
        (["-f", "label=org.example=yes", "alpine"], ["alpine:latest"]),
        (["-f", "label=org.example", "alpine"], ["alpine:latest"]),
        (["-f", "label=org.example=no"], []),
        (["nothing"], []),
    ],
)
def test_patterns_and_filters(several, words, found):
    ran = run("images", "--format", "{{.Repository}}:{{.Tag}}", *words)
    assert ran.err == ""
    assert sorted(ran.lines) == found


def test_before_and_since_go_by_the_time_of_creation():
    for month, tag in ((9, "old"), (10, "middle"), (11, "new")):
        keep(lambda repository, m=month: dated(repository, f"2026-{m:02}-01T00:00:00Z"), "app", tag)
    assert run("images", "-f", "before=app:middle", "--format", "{{.Tag}}").lines == ["old"]
    assert run("images", "-f", "since=app:middle", "--format", "{{.Tag}}").lines == ["new"]
    assert run("images", "-f", "since=app:nothing").status == 4


def dated(repository, created):
    """Put an image that was created then."""
    config = HOST.to_json() | {"created": created, "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = {
        "schemaVersion": 2,
        "config": make.put(repository, make.OCI_CONFIG, json.dumps(config).encode()).to_json(),
        "layers": [],
    }
    return make.put(repository, make.OCI_MANIFEST, json.dumps(manifest).encode())


@pytest.mark.parametrize("text", ["size=3", "reference", "dangling=perhaps", ""])
def test_a_filter_that_makes_no_sense_is_wrong_usage(text):
    ran = run("images", "--filter", text)
    assert ran.status == 2
    assert ran.out == ""


def test_the_tree_shows_platforms_and_what_is_held():
    keep(make.multi_platform)
    heading, image, first, second = run("images", "--tree").lines
    assert heading.split() == ["IMAGE", "DIGEST", "SIZE", "HELD"]
    assert image.startswith("golftrack:1.5")
    assert first.startswith("├─ linux/amd64")
    assert second.startswith("└─ linux/arm64")
    assert second.endswith("yes")


def test_the_tree_says_what_is_not_held():
    def partial(repository):
        held = make.image(repository, platform=make.ARM64)
        absent = make.Descriptor.of(make.OCI_MANIFEST, b"never seen")
        return make.index(repository, [(held, make.ARM64), (absent, make.AMD64), (absent, None)])

    keep(partial)
    keep(build(b"single"), tag="single")
    rows = run("images", "--tree", "--no-trunc").lines
    assert [row.split()[-1] for row in rows[2:5]] == ["yes", "no", "no"]
    assert make.OCI_MANIFEST in rows[4]
    assert len(rows) == 6


def test_an_image_that_came_without_a_part_is_marked_until_the_part_comes(tmp_path, monkeypatch):
    """A served registry may have such; the local store gives them no name."""
    root = tmp_path / "registry"
    monkeypatch.setenv("KILLICK_STORE", str(root))
    memory = MemoryRegistry().repository("m")
    d = make.image(memory, {"app": b"x"}, HOST)
    raw = fetch_bytes(memory, d, MOST_DOCUMENT_BYTES)
    with Store(root, retention=None, policy=Policy(sparse=True)) as store:
        repository = store.repository("registry.example/team/app")
        repository.put(d, io.BytesIO(raw))
        repository.tag(Tag("1.5"), d)
    assert "(incomplete)" in run("images").out
    assert [json.loads(line)["Complete"] for line in run("images", "--json").lines] == [False]
    checked = run("verify")
    assert checked.status == 0
    assert checked.err.count("never came: the image was taken without it") == 2
    with Store(root, retention=None) as store:
        copy(memory, store.repository("registry.example/team/app"), d)
    assert "(incomplete)" not in run("images").out
    assert [json.loads(line)["Complete"] for line in run("images", "--json").lines] == [True]
    assert "never came" not in run("verify").err
