"""Small images of every shape that peers must agree on, made from json, tar and hashlib alone.

An Image is a root document and all that it needs; it can be written as an OCI layout, or pushed
by `registries.Registry`. Nothing here comes from Killick: it is what Killick is measured against.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
EMPTY = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Blob:
    media_type: str
    data: bytes
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        return f"{self.algorithm}:{hashlib.new(self.algorithm, self.data).hexdigest()}"

    def descriptor(self, **more: Any) -> dict[str, Any]:
        known = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}
        return known | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True)
class Image:
    root: Blob
    manifests: tuple[Blob, ...]  # the root last, children before parents
    blobs: tuple[Blob, ...] = ()
    platform: str | None = None

    def layout(self, folder: Path, tag: str | None = None) -> Path:
        """The image as an OCI image layout; a name is added to an existing one."""
        folder.mkdir(parents=True, exist_ok=True)
        for blob in (*self.blobs, *self.manifests):
            algorithm, encoded = blob.digest.split(":")
            (folder / "blobs" / algorithm).mkdir(parents=True, exist_ok=True)
            (folder / "blobs" / algorithm / encoded).write_bytes(blob.data)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        names = {"org.opencontainers.image.ref.name": tag} if tag else None
        listing = folder / "index.json"
        old = json.loads(listing.read_text())["manifests"] if listing.exists() else []
        entries = [*old, self.root.descriptor(annotations=names)]
        listing.write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        return folder


@dataclass(frozen=True)
class Layer:
    blob: Blob
    diff_id: str


@dataclass(frozen=True)
class Form:
    """The media types of one family; documents of both families have the same fields."""

    manifest: str
    index: str
    config: str
    layer: str
    algorithm: str = "sha256"


OCI_FORM = Form(
    manifest=OCI + "manifest.v1+json",
    index=OCI + "index.v1+json",
    config=OCI + "config.v1+json",
    layer=OCI + "layer.v1.tar+gzip",
)
DOCKER_FORM = Form(
    manifest=DOCKER + "distribution.manifest.v2+json",
    index=DOCKER + "distribution.manifest.list.v2+json",
    config=DOCKER + "container.image.v1+json",
    layer=DOCKER + "image.rootfs.diff.tar.gzip",
)
SHA512_FORM = Form(
    OCI_FORM.manifest, OCI_FORM.index, OCI_FORM.config, OCI_FORM.layer, algorithm="sha512"
)


def layer(files: Mapping[str, bytes], form: Form = OCI_FORM) -> Layer:
    """Files as one compressed layer, the same bytes every time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    plain = packed.getvalue()
    diff_id = "sha256:" + hashlib.sha256(plain).hexdigest()
    return Layer(Blob(form.layer, gzip.compress(plain, mtime=0), form.algorithm), diff_id)


def image(
    *layers: Mapping[str, bytes],
    platform: str = "linux/amd64",
    form: Form = OCI_FORM,
    command: Sequence[str] = ("/hello",),
    **fields: Any,
) -> Image:
    """One platform's image; further fields (as annotations, unknown ones) go into its manifest."""
    packed = [layer(files, form) for files in layers or ({"hello": b"hello\n"},)]
    config = Blob(form.config, _config(packed, platform, command), form.algorithm)
    document = {
        "schemaVersion": 2,
        "mediaType": form.manifest,
        "config": config.descriptor(),
        "layers": [each.blob.descriptor() for each in packed],
    }
    root = Blob(form.manifest, _pretty(document | fields), form.algorithm)
    return Image(root, (root,), (config, *(each.blob for each in packed)), platform)


def index(*members: Image, form: Form = OCI_FORM, **fields: Any) -> Image:
    """An index over images; indexes among them make it a nested one."""
    document = {
        "schemaVersion": 2,
        "mediaType": form.index,
        "manifests": [
            each.root.descriptor(platform=each.platform and _platform(each.platform))
            for each in members
        ],
    }
    root = Blob(form.index, _pretty(document | fields), form.algorithm)
    manifests = dict.fromkeys(one for each in members for one in each.manifests)
    blobs = dict.fromkeys(one for each in members for one in each.blobs)
    return Image(root, (*manifests, root), tuple(blobs))


def artifact(subject: Image | None = None, payload: bytes = b"signed\n") -> Image:
    """Something that is no image (as a signature is), with the empty config, about a subject."""
    empty = Blob(EMPTY, b"{}")
    content = Blob("application/vnd.example.signature.v1", payload)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_FORM.manifest,
        "artifactType": "application/vnd.example.signature.v1",
        "config": empty.descriptor(data="e30="),
        "layers": [content.descriptor()],
    }
    if subject is not None:
        document["subject"] = subject.root.descriptor()
    root = Blob(OCI_FORM.manifest, _pretty(document))
    return Image(root, (root,), (empty, content))


def every_shape() -> dict[str, Image]:
    """One of each, by the name that a failing test should show."""
    two = [
        image({"etc/arch": name.encode()}, {"app": b"app\n"}, platform=name)
        for name in ("linux/amd64", "linux/arm64/v8")
    ]
    platforms = index(*two, annotations={"org.example.note": "two platforms"})
    docker = image({"app": b"docker\n"}, form=DOCKER_FORM)
    return {
        "one-platform": two[0],
        "two-platforms": platforms,
        "nested-index": index(platforms, image({"app": b"other\n"}, platform="linux/riscv64")),
        "docker-schema-2": docker,
        "docker-list": index(docker, form=DOCKER_FORM),
        "artifact": artifact(),
        "unknown-fields": image({"app": b"x\n"}, **{"org.example.unknown": {"b": 1, "a": [None]}}),
    }


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def _config(layers: Sequence[Layer], platform: str, command: Sequence[str]) -> bytes:
    document = {
        **_platform(platform),
        # As the first process of a container, it would not hear of a gentler signal.
        "config": {
            "Cmd": list(command),
            "Env": ["PATH=/usr/bin:/bin"],
            "StopSignal": "SIGKILL",
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _pretty(document: Mapping[str, Any]) -> bytes:
    """Spaces and line ends on purpose: whoever writes the document anew changes its digest."""
    return json.dumps(document, indent=3).encode() + b"\n"
