"""Small images for tests, made of nothing but bytes, and put into any repository."""

import io
import json
import tarfile
import zlib

from killick.digest import Digest
from killick.manifest import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
)
from killick.platforms import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def put(repository, media_type, content):
    """Put bytes and return their descriptor."""
    d = Descriptor.of(media_type, content)
    repository.put(d, io.BytesIO(content))
    return d


def tar(files):
    """Return a tar of `{path: bytes}`, always the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gzip(data):
    """Return `data` as gzip, always the same."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def image(repository, files=None, platform=AMD64, *, layers=1, docker=False, **fields):
    """Put an image of `layers` layers and return its manifest's descriptor.

    `fields` are added to the manifest (annotations, subject, artifactType).
    """
    contents = dict(files or {"etc/motd": b"hello"})
    tars = [tar(contents | {f"layer-{i}": bytes([i % 256]) * 10}) for i in range(layers)]
    config = platform.to_json() | {
        "created": "2026-11-01T12:00:00Z",
        "config": {"Cmd": ["/bin/sh"], "Labels": {"org.example": "yes"}},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(t)) for t in tars]},
        "history": [{"created_by": f"step {i}"} for i in range(layers)],
    }
    layer_type = DOCKER_LAYER if docker else OCI_LAYER_GZIP
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": put(
            repository, DOCKER_CONFIG if docker else OCI_CONFIG, json.dumps(config).encode()
        ).to_json(),
        "layers": [put(repository, layer_type, gzip(t)).to_json() for t in tars],
    } | fields
    return put(repository, manifest["mediaType"], json.dumps(manifest).encode())


def index(repository, children, *, docker=False, **fields):
    """Put an index of `[(descriptor, platform or None)]` and return its descriptor."""
    listed = [
        d.to_json() | ({"platform": platform.to_json()} if platform else {})
        for d, platform in children
    ]
    media_type = DOCKER_LIST if docker else OCI_INDEX
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed} | fields
    return put(repository, media_type, json.dumps(document).encode())


def multi_platform(repository, files=None):
    """Put an image for two platforms and return the index's descriptor."""
    return index(
        repository,
        [(image(repository, files, p, layers=2), p) for p in (AMD64, ARM64)],
    )


def artifact(repository, subject=None, artifact_type="application/vnd.example.sbom"):
    """Put an artifact with an empty config and return its descriptor."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": put(repository, OCI_EMPTY, b"{}").to_json(),
        "layers": [put(repository, "text/plain", b"an sbom").to_json()],
        "annotations": {"org.example.kind": "sbom"},
    }
    if subject is not None:
        manifest["subject"] = subject.plain().to_json()
    return put(repository, OCI_MANIFEST, json.dumps(manifest).encode())
