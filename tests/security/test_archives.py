"""Archives made to break out: whatever they say, nothing outside of the store is met or changed."""

import gzip
import io
import json
import shutil
import tarfile
import zlib
from pathlib import Path

import pytest

import images
from cli_runner import run
from killick.compression import zstd
from killick.digest import Digest

MiB = 1024 * 1024


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home and a store of this test's own, and beside them what an archive may not touch."""
    for name, folder in {"HOME": "home", "DOCKER_CONFIG": "home/docker", "TMPDIR": "tmp"}.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KILLICK_CONFIG", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "sentinel").write_text("as it was")
    (outside / "sentinel").chmod(0o640)
    return tmp_path


def state(folder):
    """Return what is there, outside of the store: names, kinds, modes, owners, bytes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if inner.parts[0] in ("store", "archive", "tmp"):
            continue
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(inner)] = (stat.st_mode, stat.st_uid, stat.st_nlink, stat.st_mtime_ns, content)
    return found


def tar(*members):
    """Return a tar of (name, kind, link or content)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o4777
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                archive.addfile(info)
    return out.getvalue()


FILE, LINK, HARD, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
OUT = "outside/sentinel"

MEMBERS = {
    "a parent": [("../outside/sentinel", FILE, b"changed")],
    "many parents": [("../" * 30 + "tmp/pwned", FILE, b"changed")],
    "a parent within": [("a/b/../../../outside/sentinel", FILE, b"changed")],
    "an absolute name": [("/tmp/killick-pwned", FILE, b"changed")],
    "a link out, then through it": [("a", LINK, "../outside"), ("a/sentinel", FILE, b"changed")],
    "an absolute link, then through it": [("a", LINK, "/"), ("a/tmp/pwned", FILE, b"changed")],
    "a chain of links": [
        *(("a", LINK, "."), ("a/b", LINK, ".."), ("a/b/c", LINK, "..")),
        ("a/b/c/outside/sentinel", FILE, b"changed"),
    ],
    "a hard link out": [("a", HARD, "../outside/sentinel"), ("a", FILE, b"changed")],
    "a hard link to an absolute name": [("a", HARD, "/etc/passwd")],
    "a hard link through a link": [("a", LINK, "../outside"), ("b", HARD, "a/sentinel")],
    "a folder that becomes a link": [("a", DIR, ""), ("a", LINK, "../outside"), ("a/x", FILE, b"")],
    "a sibling of the same prefix": [("../store-evil/x", FILE, b"changed")],
    "a device": [("dev", tarfile.CHRTYPE, "")],
    "a pipe": [("pipe", tarfile.FIFOTYPE, "")],
    "names that end with dots": [("a/..", FILE, b"x"), ("a/.", FILE, b"x")],
    "backslashes": [("..\\..\\outside\\sentinel", FILE, b"changed")],
    "an empty name": [("", FILE, b"x")],
    "a long name": [("a/" * 3000 + "x", FILE, b"x")],
    "control characters": [("\x1b]0;pwned\x07\n", FILE, b"x")],
    "the name of a blob": [("blobs/sha256/../../../outside/sentinel", FILE, b"changed")],
}


def layout(**entry):
    """Return an OCI layout whose index says `entry` of an image, as members of a tar."""
    config = b"{}"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": str(Digest.of(config)),
                "size": 2,
            },
            "layers": [],
        }
    ).encode()
    said = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": str(Digest.of(manifest)),
        "size": len(manifest),
    } | entry
    index = json.dumps({"schemaVersion": 2, "manifests": [said]}).encode()
    return [
        ("oci-layout", FILE, b'{"imageLayoutVersion":"1.0.0"}'),
        ("index.json", FILE, index),
        (f"blobs/sha256/{Digest.of(manifest).encoded}", FILE, manifest),
        (f"blobs/sha256/{Digest.of(config).encoded}", FILE, config),
    ]


def docker(**entry):
    """Return what `docker save` writes, whose manifest.json says `entry`, as members of a tar."""
    said = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]} | entry
    layer = tar(("etc/motd", FILE, b"hello"))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer))]},
    }
    return [
        ("manifest.json", FILE, json.dumps([said]).encode()),
        ("config.json", FILE, json.dumps(config).encode()),
        ("layer.tar", FILE, layer),
    ]


DOCUMENTS = {
    "a digest that leads out": layout(digest="sha256:../../../outside/sentinel"),
    "a size that is a lie": layout(size=2**60),
    "a name that leads out": layout(
        annotations={"org.opencontainers.image.ref.name": "../../outside/sentinel"}
    ),
    "a name with an option": layout(annotations={"org.opencontainers.image.ref.name": "--force"}),
    "a name of control characters": layout(
        annotations={"org.opencontainers.image.ref.name": "\x1b[31m\r\n"}
    ),
    "a layer elsewhere": docker(Layers=["../outside/sentinel"]),
    "an absolute layer": docker(Layers=["/etc/passwd"]),
    "a config elsewhere": docker(Config="../outside/sentinel"),
    "a tag that leads out": docker(RepoTags=["../../outside:1"]),
    "a layer that is a link out": [*docker()[:2], ("layer.tar", LINK, "../outside/sentinel")],
    "a layer that is a link to itself": [*docker()[:2], ("layer.tar", LINK, "layer.tar")],
    "an index that is a link out": [layout()[0], ("index.json", LINK, "/etc/passwd")],
}


@pytest.mark.parametrize("name", [*MEMBERS, *DOCUMENTS])
@pytest.mark.parametrize("packed", [lambda raw: raw, images.gzip, zstd.compress])
@pytest.mark.parametrize("verb", ["load", "cp", "import"])
def test_nothing_outside_is_met(home, name, packed, verb):
    hostile = {**MEMBERS, **DOCUMENTS}[name]
    mixed = [*hostile, *layout()] if name in MEMBERS and verb != "import" else hostile
    (home / "archive").write_bytes(packed(tar(*mixed)))
    before = state(home)
    words = {
        "load": ("load", "-i", "archive"),
        "cp": ("cp", "oci-archive:archive", "oci:archive-copy"),
        "import": ("import", "archive", "imported:1"),
    }[verb]
    ran = run(*words)
    shutil.rmtree(home / "archive-copy", ignore_errors=True)
    assert ran.status in (0, 1, 2, 4, 6), ran.err
    assert "Traceback" not in ran.err
    assert "as it was" not in ran.out + ran.err
    assert not any(ord(c) < 32 and c not in "\t\n" for c in ran.out + ran.err)
    assert state(home) == before
    assert not list((home / "tmp").iterdir())
    assert not Path("/tmp/killick-pwned").exists()


@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_in_a_layer_stays_in_it(home, name):
    """A layer is data: it is stored as it is, by its digest, and never unpacked."""
    layer = tar(*MEMBERS[name])
    (home / "archive").write_bytes(layer)
    before = state(home)
    ran = run("import", "archive", "imported:1")
    if ran.status == 0:
        stored = [path.read_bytes() for path in (home / "store" / "blobs" / "sha256").iterdir()]
        packed = [gzip.decompress(raw) for raw in stored if raw.startswith(b"\x1f\x8b")]
        assert layer in [*stored, *packed]
    assert state(home) == before


@pytest.mark.parametrize("packing", ["gzip", "gzip twice", "zstd"])
def test_bombs(home, packing):
    """10 KiB that become gigabytes: stopped before the disk is full, and nothing is left."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    once = b"".join(packer.compress(bytes(MiB)) for _ in range(1500)) + packer.flush()
    bomb = {
        "gzip": once,
        "gzip twice": images.gzip(once),
        "zstd": zstd.compress(bytes(1500 * MiB)),
    }[packing]
    (home / "archive").write_bytes(bomb)
    ran = run("load", "-i", "archive")
    assert ran.status == 1
    assert not list((home / "tmp").iterdir())
    assert not list((home / "store").glob("blobs/*/*"))
