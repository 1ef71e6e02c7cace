"""Images to measure with: OCI layouts of incompressible layers, the same bytes every time."""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # uncompressed: bytes are moved, not inflated
REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Shape:
    """So many layers of so many bytes."""

    layers: int
    size: int

    @property
    def name(self) -> str:
        unit, amount = ("mib", self.size // MIB) if self.size >= MIB else ("kib", self.size // 1024)
        return f"{self.layers}x{amount}{unit}"

    @property
    def title(self) -> str:
        gib, mib = self.size // (1024 * MIB), self.size // MIB
        amount = f"{gib} GiB" if gib else f"{mib} MiB" if mib else f"{self.size // 1024} KiB"
        return f"{self.layers} × {amount}"


FULL = (Shape(1, 1024 * MIB), Shape(8, 128 * MIB), Shape(200, MIB))
QUICK = (Shape(1, 8 * MIB), Shape(4, 2 * MIB), Shape(20, MIB // 16))


def layout(shape: Shape, cache: Path) -> Path:
    """The folder of this image, made if it is not there yet. Its tag is `1`."""
    folder = cache / shape.name
    if not (folder / "index.json").exists():
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        layers = [_layer(folder, number, shape) for number in range(shape.layers)]
        manifest = _documents(folder, layers)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        _index(folder, [manifest | {"annotations": {REF_NAME: "1"}}])  # last: it says "complete"
    return folder


def many_tags(count: int, cache: Path) -> Path:
    """A layout in which `count` tags share ten small images."""
    folder = cache / f"tags-{count}"
    if not (folder / "index.json").exists():
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        small = [_documents(folder, [_layer(folder, seed, Shape(1, 4096))]) for seed in range(10)]
        named = [
            small[number % 10] | {"annotations": {REF_NAME: f"v{number}"}}
            for number in range(count)
        ]
        _index(folder, named)
    return folder


def manifest_of(folder: Path) -> tuple[bytes, list[dict]]:
    """The manifest's bytes, and the descriptors of all that it needs."""
    root = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
    data = (folder / "blobs" / root.replace(":", "/")).read_bytes()
    document = json.loads(data)
    return data, [*document["layers"], document["config"]]


def _noise(seed: str, size: int) -> Iterator[bytes]:
    """Bytes that no compressor makes smaller, a MiB at a time (this process stays small)."""
    for number, start in enumerate(range(0, size, MIB)):
        wanted = min(MIB, size - start)
        yield hashlib.shake_128(f"{seed}/{number}".encode()).digest(wanted)


def _tar(seed: str, size: int) -> Iterator[bytes]:
    """A tar with one file, for engines that unpack; `size` bytes in all (a multiple of 512)."""
    entry = tarfile.TarInfo(f"data/{seed}")
    entry.size = size - 3 * tarfile.BLOCKSIZE  # a header before, and two empty blocks behind
    yield entry.tobuf(tarfile.USTAR_FORMAT)
    yield from _noise(seed, entry.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _layer(folder: Path, number: int, shape: Shape) -> dict:
    made = folder / "blobs" / f"layer-{number}"
    digest = hashlib.sha256()
    with made.open("wb") as file:
        for chunk in _tar(f"{shape.name}-{number}", shape.size):
            digest.update(chunk)
            file.write(chunk)
    made.rename(folder / "blobs" / "sha256" / digest.hexdigest())
    return {"mediaType": LAYER, "digest": f"sha256:{digest.hexdigest()}", "size": shape.size}


def _documents(folder: Path, layers: list[dict]) -> dict:
    diff_ids = [each["digest"] for each in layers]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _document(folder, CONFIG, config),
        "layers": layers,
    }
    return _document(folder, MANIFEST, manifest)


def _document(folder: Path, media_type: str, document: dict) -> dict:
    data = json.dumps(document).encode()
    encoded = hashlib.sha256(data).hexdigest()
    (folder / "blobs" / "sha256" / encoded).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(data)}


def _index(folder: Path, manifests: list[dict]) -> None:
    document = {"schemaVersion": 2, "manifests": manifests}
    (folder / "index.json").write_text(json.dumps(document))
