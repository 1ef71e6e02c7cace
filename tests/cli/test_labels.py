"""What an image says of itself is data: no command, no format, no path, and no name of its own."""

import io
import json
import re
import subprocess

import pytest

import images as made
from cli_runner import run
from killick.digest import Digest
from killick.layout import ArchiveWriter
from killick.manifest import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from killick.memory import MemoryRegistry
from killick.names import Tag
from killick.transfer import copy
from local_store import keep, local_store

VICTIM = "docker.io/library/victim"
MARK = "evil-mark"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def hostile(canary):
    """Return texts that do harm where they are anything but text."""
    deed = f"touch {canary}"
    return [
        *(f"{MARK} $({deed})", f"{MARK} `{deed}`", f"{MARK}; {deed};", f"{MARK} | {deed}"),
        *(f"{MARK} && {deed}", f"-{MARK}={deed}", f"--{MARK}", f"\n{deed}\n{MARK}"),
        *(f"{MARK} %s %n %(asctime)s %(x)d", f"{MARK} {{0.__class__}} {{}}", f"{{{{.Id}}}} {MARK}"),
        *(f"../../../{MARK}", f"/tmp/{MARK}", f"..\\{MARK}", f"{MARK}\x00.tar", f"~/{MARK}"),
        *(f"\x1b[2J\x1b]0;{MARK}\x07", f"{MARK}\r\nkillick: done", f"\u202e{MARK}"),
    ]


def evil(repository, canary):
    """Put an image that has such texts wherever there is room for one; return its descriptor."""
    texts = hostile(canary)
    labels = dict.fromkeys(texts, texts[0]) | {f"l{n}": text for n, text in enumerate(texts)}
    named = {
        "org.opencontainers.image.ref.name": "victim:1",
        "io.containerd.image.name": f"{VICTIM}:1",
        "org.opencontainers.image.title": f"../../{MARK}",
    }
    config = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "author": texts[0],
            "config": {"Labels": labels, "Env": [f"PATH={t}" for t in texts], "Cmd": texts},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"layer"))]},
            "history": [{"created_by": text, "comment": text} for text in texts],
        }
    ).encode()
    layer = made.gzip(b"layer")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor.of(OCI_CONFIG, config).to_json(),
        "layers": [Descriptor.of(OCI_LAYER_GZIP, layer).to_json() | {"annotations": named}],
        "annotations": labels | named,
    }
    raw = json.dumps(manifest).encode()
    d = Descriptor.of(OCI_MANIFEST, raw)
    for each, content in (
        (Descriptor.of(OCI_CONFIG, config), config),
        (Descriptor.of(OCI_LAYER_GZIP, layer), layer),
        (d, raw),
    ):
        repository.put(each, io.BytesIO(content))
    return d


@pytest.fixture
def started(monkeypatch):
    """The command lines of all processes that were started."""
    lines = []
    real = subprocess.Popen

    def start(words, *args, **options):
        lines.append((words, options))
        return real(words, *args, **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    return lines


def names():
    """Return what each tag in the store points to."""
    with local_store() as store:
        return {
            (name, str(tag)): str(store.repository(name).resolve(tag).digest)
            for name in store.repositories()
            for tag in store.repository(name).tags()
        }


def test_labels_are_text_and_nothing_else(tmp_path, host, started, caplog):
    caplog.set_level("DEBUG")
    canary = tmp_path / "canary"
    d = keep(lambda repository: evil(repository, canary), "app", "1")
    before = names()
    archive, layout = tmp_path / "a.tar", tmp_path / "layout"
    for words in (
        *(("inspect", "app:1"), ("history", "app:1"), ("history", "--no-trunc", "app:1")),
        *(("images",), ("images", "--tree"), ("images", "--digests", "-a")),
        *(("images", "--filter", "label=l0"), ("images", "--format", "{{.Tag}} {{json .}}")),
        *(("inspect", "--format", "{{json .Config.Labels}}", "app:1"), ("log", "app")),
        *(("inspect", "--format", "{{.Config.Labels}} {{.Config.Cmd}}", "app:1"),),
        *(("what", d.digest), ("verify",), ("save", "app:1", "-o", archive)),
        *(("cp", "store:app:1", f"oci:{layout}:1"), ("push", "app:1")),
    ):
        ran = run(*words)
        assert ran.status == 0 or words[0] == "push", (words, ran.err)
        assert not UNSAFE.search(ran.out + ran.err), words
        assert "Traceback" not in ran.err, words
    assert run("cp", "store:app:1", f"{host}/labels/app:1").status == 0
    assert run("pull", f"{host}/labels/app:1").status == 0
    assert not canary.exists()
    assert not [path for path in tmp_path.rglob("*") if MARK in path.name]
    assert not [words for words, options in started if MARK in repr(words) + repr(options)]
    assert MARK not in caplog.text
    assert {k: v for k, v in names().items() if "labels/app" not in k[0]} == before


def test_nothing_but_the_name_that_was_given_gets_a_tag(tmp_path, host):
    """An archive that is imported, copied or pulled may name others; only `load` asks it to."""
    canary = tmp_path / "canary"
    victim = keep(made.image, "victim", "1")
    archive = tmp_path / "image.tar"
    memory = MemoryRegistry().repository(VICTIM)
    bad = evil(memory, canary)
    with ArchiveWriter(archive, None) as writer:
        copy(memory, writer.repository(VICTIM), bad, Tag("1"))
    rootfs = tmp_path / "rootfs.tar"
    listed = [{"Config": "c.json", "RepoTags": ["victim:1"], "Layers": []}]
    index = {"schemaVersion": 2, "manifests": [bad.to_json()]}
    rootfs.write_bytes(
        made.tar(
            {
                "manifest.json": json.dumps(listed).encode(),
                "repositories": json.dumps({"victim": {"1": bad.digest.encoded}}).encode(),
                "index.json": json.dumps(index).encode(),
                "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            }
        )
    )
    keep(lambda repository: evil(repository, canary), "source", "1")
    assert run("cp", "store:source:1", f"{host}/named/app:1").status == 0
    for words in (
        ("import", archive, "imported:1"),
        ("import", rootfs, "imported:2"),
        ("cp", f"oci-archive:{archive}:{VICTIM}:1", "store:copied:1"),
        ("pull", f"{host}/named/app:1"),
        ("tag", "source:1", "tagged:1"),
    ):
        ran = run(*words)
        assert ran.status == 0, (words, ran.err)
    now = names()
    assert now.pop((VICTIM, "1")) == str(victim.digest)
    assert sorted((name.rpartition("/")[2], tag) for name, tag in now) == [
        *(("app", "1"), ("copied", "1"), ("imported", "1"), ("imported", "2")),
        *(("source", "1"), ("tagged", "1")),
    ]
