"""Builds a small real image, golftrack, into an OCI layout: two layers, two platforms.

The base layer is a busybox root where busybox is installed, else one that holds Python's own
standard library files. The same version always has the same digest.
"""

import gzip
import io
import json
import os
import shutil
import sysconfig
import tarfile
from pathlib import Path

from killick.digest import Digest
from killick.layout import Layout
from killick.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.platforms import Platform

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
CREATED = "2026-11-01T12:00:00Z"
_LIBRARY_FILES = 60

BUGGY = "distance = holes * 18  # the bug: holes, not strokes\n"
FIXED = "distance = strokes * 18\n"


def build(layout: Layout, tag: str, program: str) -> Descriptor:
    """Build golftrack with `program`, tag it, and return the index's descriptor."""
    children = [_image(layout, platform, program) for platform in PLATFORMS]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    descriptor = _put(layout, OCI_INDEX, _json(index))
    layout.tag(Tag(tag), descriptor)
    return descriptor


def _image(layout: Layout, platform: Platform, program: str) -> dict[str, object]:
    tars = [_base(platform), _tar({"app/golftrack.py": program.encode()})]
    config = platform.to_json() | {
        "created": CREATED,
        "config": {"Cmd": ["/app/golftrack.py"], "Labels": {"org.example.app": "golftrack"}},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(tar)) for tar in tars]},
        "history": [
            {"created": CREATED, "created_by": "ADD rootfs.tar /"},
            {"created": CREATED, "created_by": "COPY golftrack.py /app/"},
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _put(layout, OCI_CONFIG, _json(config)).to_json(),
        "layers": [_put(layout, OCI_LAYER_GZIP, _gzip(tar)).to_json() for tar in tars],
    }
    found = _put(layout, OCI_MANIFEST, _json(manifest))
    return found.to_json() | {"platform": platform.to_json()}


def _base(platform: Platform) -> bytes:
    files = {"etc/platform": f"{platform}\n".encode()}
    busybox = shutil.which("busybox")
    if busybox:
        return _tar(files | {"bin/busybox": Path(busybox).read_bytes()})
    library = Path(sysconfig.get_path("stdlib"))
    modules = sorted(library.glob("*.py"))[:_LIBRARY_FILES]
    return _tar(files | {f"usr/lib/python/{m.name}": m.read_bytes() for m in modules})


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _put(layout: Layout, media_type: str, content: bytes) -> Descriptor:
    descriptor = Descriptor.of(media_type, content)
    layout.put(descriptor, io.BytesIO(content))
    return descriptor


if __name__ == "__main__":
    layout = Layout(Path(os.environ["LAYOUT"]), create=True)
    build(layout, "buggy", BUGGY)
    build(layout, "fixed", FIXED)
