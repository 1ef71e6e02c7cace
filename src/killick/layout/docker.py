"""What `docker save` wrote before Docker 25: `manifest.json`, configs and layers as plain tars.

Such an archive has no manifests, so it has no digests. A manifest is made of what is there, always
the same one for the same archive: layers as they lie there (uncompressed, as a rule), the config as
it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from typing import Any, BinaryIO

from killick import strictjson
from killick.compression import LONGEST_MAGIC, compression_of
from killick.digest import Digest, chunks, digest_of
from killick.errors import BadReference, ContentError, KillickError
from killick.layout.entries import UNNAMED, Entries, Entry
from killick.layout.tarfiles import TarFiles
from killick.manifest import (
    MOST_CONFIG_BYTES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Config,
    Descriptor,
)
from killick.names import Reference
from killick.tarball import Member

MANIFEST_FILE = "manifest.json"
MOST_IMAGES = 10_000
MOST_LAYERS = 1_000
_LAYER_TYPES = {None: OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


class DockerBlobs:
    """A docker archive, seen as the blobs of an OCI layout.

    Raises:
        ContentError, LimitExceeded: it is none, or something in it is missing.
    """

    def __init__(self, tar: TarFiles) -> None:
        self._tar = tar
        self._made: dict[Digest, bytes] = {}
        self._files: dict[Digest, Member] = {}
        self._layers: dict[int, Descriptor] = {}
        try:
            found = tuple(e for image in _images(tar) for e in self._image(image))
        except KillickError as error:
            raise error.at("file") from None
        self._entries = Entries(found)

    def entries(self) -> Entries:
        """Return the images, by the names in manifest.json."""
        return self._entries

    def size(self, digest: Digest, /) -> int | None:
        """Return the size of a blob, None if it is not there."""
        if digest in self._made:
            return len(self._made[digest])
        member = self._files.get(digest)
        return member.size if member else None

    def stream(self, digest: Digest, /) -> BinaryIO | None:
        """Return the bytes of a blob, None if it is not there."""
        if digest in self._made:
            return BytesIO(self._made[digest])
        member = self._files.get(digest)
        return self._tar.open(member) if member else None

    def _image(self, image: dict[str, Any]) -> Iterator[Entry]:
        raw = self._tar.read(_text(image.get("Config")), MOST_CONFIG_BYTES)
        if raw is None:
            raise ContentError(f"{MANIFEST_FILE} names a config that is not in the archive")
        config = self._keep(OCI_CONFIG, raw)
        diff_ids = Config.parse(raw).diff_ids
        paths = image.get("Layers")
        if not isinstance(paths, list) or len(paths) != len(diff_ids) or len(paths) > MOST_LAYERS:
            raise ContentError(f"{MANIFEST_FILE} and the config disagree on the layers")
        layers = [self._layer(_text(p), i) for p, i in zip(paths, diff_ids, strict=True)]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        made = self._keep(OCI_MANIFEST, strictjson.compact(manifest))
        names = image.get("RepoTags") or []
        if not isinstance(names, list):
            raise ContentError(f"{MANIFEST_FILE} has RepoTags that are no list")
        yield from [_entry(made, _text(name)) for name in names] or [Entry(made)]

    def _keep(self, media_type: str, content: bytes) -> Descriptor:
        d = Descriptor.of(media_type, content)
        self._made[d.digest] = content
        return d

    def _layer(self, path: str, diff_id: Digest) -> Descriptor:
        """Return the descriptor of a layer; what is not compressed is named by its diff ID."""
        member = self._tar.find(path)
        if member is None:
            raise ContentError(f"{MANIFEST_FILE} names a layer that is not in the archive")
        if member.offset not in self._layers:
            self._layers[member.offset] = self._described(member, diff_id)
        d = self._layers[member.offset]
        self._files[d.digest] = member
        return d

    def _described(self, member: Member, diff_id: Digest) -> Descriptor:
        with closing(self._tar.open(member)) as stream:
            kind = compression_of(stream.read(LONGEST_MAGIC))
        if kind not in _LAYER_TYPES:
            raise ContentError(f"a layer in the archive is compressed by {kind}")
        digest = diff_id
        if kind is not None:
            with closing(self._tar.open(member)) as stream:
                digest, _ = digest_of(chunks(stream))
        return Descriptor(_LAYER_TYPES[kind], digest, member.size)


def _images(tar: TarFiles) -> list[dict[str, Any]]:
    raw = tar.read(MANIFEST_FILE, MOST_CONFIG_BYTES)
    listed = strictjson.loads(raw or b"", MANIFEST_FILE)
    if not isinstance(listed, list) or not all(isinstance(image, dict) for image in listed):
        raise ContentError(f"{MANIFEST_FILE} is not what docker save writes")
    if len(listed) > MOST_IMAGES:
        raise ContentError(f"{MANIFEST_FILE} lists more than {MOST_IMAGES} images")
    return listed


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ContentError(f"{MANIFEST_FILE} has something else where a text should be")
    return value.removeprefix("./")


def _entry(d: Descriptor, name: str) -> Entry:
    try:
        found = Reference.parse(name)
    except BadReference:
        return Entry(d, UNNAMED, None, name)
    return Entry(d).renamed(str(found.name), found.effective_tag)
