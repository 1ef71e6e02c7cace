"""Descriptors, manifests, indexes and configs (OCI image-spec; Docker image manifest schema 2).

A document's bytes are its identity: they are kept and sent on verbatim, and what is parsed here is
a view of them. Fields and media types that Killick does not know are carried along untouched.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from killick import strictjson
from killick.bounds import bound
from killick.digest import Digest, verify
from killick.errors import BadDigest, ContentError, LimitExceeded, PlatformUnknown, Unacceptable
from killick.platforms import Platform

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

BASE_DIGEST = "org.opencontainers.image.base.digest"

MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
DOCUMENT_TYPES = MANIFEST_TYPES | INDEX_TYPES
CONFIG_TYPES = frozenset({OCI_CONFIG, DOCKER_CONFIG})

MOST_DOCUMENT_BYTES = 4 * 1024 * 1024
MOST_CONFIG_BYTES = bound(16 * 1024 * 1024, "bytes", "config of an image that is read")
MOST_CHILDREN = bound(10_000, "entries", "entries of a manifest or an index")
MOST_INDEX_DEPTH = bound(8, "levels", "indexes within indexes")
MOST_SIZE = 2**53 - 1

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DESCRIPTOR_FIELDS = frozenset(
    {"mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"}
)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What some content is (`media_type`), its digest and its size in bytes (OCI descriptor.md).

    `data` is the content itself where it was embedded and could be checked against the digest;
    `extra` holds fields that the specification does not name.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    urls: tuple[str, ...] = ()
    data: bytes | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, hash=False)

    @classmethod
    def of(cls, media_type: str, content: bytes) -> Descriptor:
        """Return the sha256 descriptor of `content`."""
        return cls(media_type, Digest.of(content), len(content))

    @classmethod
    def from_json(cls, value: object, where: str = "a descriptor") -> Descriptor:
        """Return the descriptor in a parsed document; `where` names it in errors.

        Raises:
            ContentError: a field is missing, of a wrong type, negative or beyond 2^53, the digest
                is none, or `data` is not the content.
        """
        fields = _mapping(value, where)
        media_type = _text(fields, "mediaType", where)
        size = fields.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MOST_SIZE:
            raise _bad(f"{where} has no valid size")
        try:
            digest = Digest.parse(_text(fields, "digest", where))
        except BadDigest as error:
            raise _bad(f"{where}: {error.message}") from None
        platform = fields.get("platform")
        artifact_type = fields.get("artifactType")
        return cls(
            media_type,
            digest,
            size,
            Platform.from_json(_mapping(platform, f"{where}'s platform")) if platform else None,
            artifact_type if isinstance(artifact_type, str) and artifact_type else None,
            _annotations(fields, where),
            _urls(fields, where),
            _embedded(fields, digest, size, where),
            {k: v for k, v in fields.items() if k not in _DESCRIPTOR_FIELDS} or _NOTHING,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the OCI form, absent parts left out, unknown fields kept."""
        value: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            value["urls"] = list(self.urls)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.data is not None:
            value["data"] = base64.b64encode(self.data).decode()
        if self.platform:
            value["platform"] = self.platform.to_json()
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value | dict(self.extra)

    @property
    def is_document(self) -> bool:
        """Whether the content is a manifest or an index, which registries keep apart from blobs."""
        return self.media_type in DOCUMENT_TYPES

    @property
    def is_index(self) -> bool:
        """Whether the content is an index (or a Docker manifest list)."""
        return self.media_type in INDEX_TYPES

    @property
    def is_foreign(self) -> bool:
        """Whether the content is a non-distributable layer, which registries need not have."""
        return "nondistributable" in self.media_type or ".foreign." in self.media_type

    def plain(self) -> Descriptor:
        """Return this descriptor with only media type, digest and size."""
        return Descriptor(self.media_type, self.digest, self.size)


@dataclass(frozen=True)
class _Document:
    """The verbatim bytes of a manifest or an index, and what was read in them."""

    raw: bytes
    descriptor: Descriptor
    fields: Mapping[str, Any]

    @property
    def digest(self) -> Digest:
        return self.descriptor.digest

    @property
    def media_type(self) -> str:
        return self.descriptor.media_type

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        return _annotations(self.fields, self.media_type)

    @cached_property
    def subject(self) -> Descriptor | None:
        """The descriptor of what this document is about (a signature's image), if any."""
        value = self.fields.get("subject")
        return None if value is None else Descriptor.from_json(value, "the subject")

    @property
    def base(self) -> Digest | None:
        """The image that this says it was built on (OCI annotations.md), None if it names none."""
        try:
            found = Digest.parse(self.annotations.get(BASE_DIGEST, ""))
        except (BadDigest, ContentError):
            return None
        return found if found.verifiable else None

    def as_referrer(self) -> Descriptor:
        """Return the descriptor by which the referrers API lists this (distribution-spec)."""
        stated = self.fields.get("artifactType")
        config = self.fields.get("config")
        fallback = config.get("mediaType") if isinstance(config, dict) else None
        d = self.descriptor
        return Descriptor(
            d.media_type,
            d.digest,
            d.size,
            artifact_type=stated if isinstance(stated, str) and stated else fallback,
            annotations=self.annotations,
        )


@dataclass(frozen=True)
class Manifest(_Document):
    """One image for one platform, or an artifact: a config and layers (OCI manifest.md)."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def artifact_type(self) -> str | None:
        """What kind of artifact this is: `artifactType`, else the config's media type."""
        stated = self.fields.get("artifactType")
        if isinstance(stated, str) and stated:
            return stated
        return None if self.config.media_type in CONFIG_TYPES else self.config.media_type

    @property
    def is_image(self) -> bool:
        """Whether this is a container image, as opposed to any other artifact."""
        return self.config.media_type in CONFIG_TYPES

    def children(self) -> tuple[Descriptor, ...]:
        """Return what must be there for the image to be whole: the config, then the layers."""
        return (self.config, *self.layers)


@dataclass(frozen=True)
class Index(_Document):
    """Several manifests, usually the same image for several platforms (OCI image-index.md)."""

    manifests: tuple[Descriptor, ...]

    @property
    def artifact_type(self) -> str | None:
        """What kind of artifact this is, if it says so."""
        stated = self.fields.get("artifactType")
        return stated if isinstance(stated, str) and stated else None

    def children(self) -> tuple[Descriptor, ...]:
        """Return the manifests and indexes that it lists, in their order."""
        return self.manifests

    def select(self, wanted: Platform) -> Descriptor:
        """Return the child that suits `wanted` best (the first of equals).

        Raises:
            PlatformUnknown: none does; the hint lists what there is.
        """
        ranked = [
            (rank, i)
            for i, child in enumerate(self.manifests)
            if child.platform and (rank := wanted.rank(child.platform)) is not None
        ]
        if ranked:
            return self.manifests[min(ranked)[1]]
        known = sorted({str(c.platform) for c in self.manifests if _is_real(c.platform)})
        raise PlatformUnknown(
            f"{self.digest} has no image for {wanted}",
            hint=f"it has {', '.join(known)}" if known else "it names no platforms",
        )


Document = Manifest | Index


def parse_document(
    raw: bytes, media_type: str | None = None, digest: Digest | None = None
) -> Document:
    """Return the manifest or index whose bytes are `raw`.

    `media_type` is what the sender called it; the document's own `mediaType` must agree. Without
    either, the fields decide (OCI documents may leave `mediaType` out). `digest` is the name by
    which it goes, checked by the caller; None means its sha256.

    Raises:
        LimitExceeded: larger than 4 MiB, nested too deep, or too many children.
        Unacceptable: schema 1, or manifest and index at once (CVE-2021-41190), or neither.
        ContentError: not such a document.
    """
    if len(raw) > MOST_DOCUMENT_BYTES:
        raise LimitExceeded(
            f"a manifest has {len(raw)} bytes, and {MOST_DOCUMENT_BYTES} are allowed", side="remote"
        )
    fields = _mapping(strictjson.loads(raw, "the manifest"), "the manifest")
    kind = _media_type(fields, media_type)
    descriptor = Descriptor(kind, digest or Digest.of(raw), len(raw))
    if kind in INDEX_TYPES:
        return Index(raw, descriptor, fields, _descriptors(fields, "manifests"))
    config = Descriptor.from_json(fields.get("config"), "the config")
    return Manifest(raw, descriptor, fields, config, _descriptors(fields, "layers"))


def _media_type(fields: Mapping[str, Any], stated: str | None) -> str:
    stated = stated.partition(";")[0].strip().lower() if stated else None
    own = fields.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise Unacceptable("the manifest's mediaType is not a text", side="remote")
    if fields.get("schemaVersion") == 1 or stated in DOCKER_SCHEMA_1 or own in DOCKER_SCHEMA_1:
        raise Unacceptable(
            "the image has a Docker schema 1 manifest, a format withdrawn in 2019",
            side="remote",
            hint="rebuild it, or pull and push it with an old docker to convert it",
        )
    if fields.get("schemaVersion") != 2:
        raise _bad("the manifest has no schemaVersion 2")
    looks_index = "manifests" in fields
    if looks_index and ("config" in fields or "layers" in fields):
        raise Unacceptable(
            "the document is manifest and index at once, so that two readers would see two images",
            side="remote",
        )
    if own is not None and own not in DOCUMENT_TYPES:
        raise Unacceptable(f"{own!r} is not a kind of manifest that Killick knows", side="remote")
    if own and stated in DOCUMENT_TYPES and own != stated:
        raise _bad(f"the manifest was sent as {stated}, but calls itself {own}")
    kind = own or (stated if stated in DOCUMENT_TYPES else None)
    if kind is None:
        kind = OCI_INDEX if looks_index else OCI_MANIFEST
    if (kind in INDEX_TYPES) != looks_index:
        raise _bad(f"the fields of the manifest do not fit its type, {kind}")
    return str(kind)


@dataclass(frozen=True)
class Config:
    """What a container needs to start, and how the image came about (OCI config.md).

    `size` is that of its bytes.
    """

    fields: Mapping[str, Any]
    size: int = 0

    @classmethod
    def parse(cls, raw: bytes) -> Config:
        """Return the config whose bytes are `raw`.

        Raises:
            ContentError: not a JSON object.
            LimitExceeded: larger than 16 MiB.
        """
        if len(raw) > MOST_CONFIG_BYTES:
            raise LimitExceeded("an image's config is larger than 16 MiB", side="remote")
        return cls(_mapping(strictjson.loads(raw, "the config"), "the config"), len(raw))

    @property
    def platform(self) -> Platform:
        """The platform that the image is for."""
        return Platform.from_json(dict(self.fields))

    @property
    def created(self) -> str | None:
        """When the image was made, as the config says it (RFC 3339), or None."""
        value = self.fields.get("created")
        return value if isinstance(value, str) else None

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """The digests of the layers' uncompressed tars, lowest first.

        Raises:
            ContentError: they are no list, or one is no digest.
        """
        rootfs = self.fields.get("rootfs")
        listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if listed is not None and not isinstance(listed, list):
            raise _bad("the config's diff_ids are not a list")
        try:
            return tuple(Digest.parse(str(text)) for text in listed or ())
        except BadDigest as error:
            raise _bad(f"the config's diff_ids: {error.message}") from None

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """One entry a step of the build, oldest first; entries that are no objects are left out."""
        listed = self.fields.get("history")
        return tuple(e for e in listed if isinstance(e, dict)) if isinstance(listed, list) else ()

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        config = self.fields.get("config")
        labels = config.get("Labels") if isinstance(config, dict) else None
        found = labels if isinstance(labels, dict) else {}
        return {k: v for k, v in found.items() if isinstance(v, str)}


def _is_real(platform: Platform | None) -> bool:
    """Whether a child is for a machine (attestations are listed as unknown/unknown)."""
    return platform is not None and platform.os != "unknown"


def _bad(message: str) -> ContentError:
    return ContentError(message, side="remote")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{where} is not a JSON object")
    return value


def _text(fields: Mapping[str, Any], key: str, where: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value or len(value) > 1024:
        raise _bad(f"{where} has no valid {key}")
    return value


def _descriptors(fields: Mapping[str, Any], key: str) -> tuple[Descriptor, ...]:
    listed = fields.get(key)
    if not isinstance(listed, list):
        raise _bad(f"the manifest has no list of {key}")
    if len(listed) > MOST_CHILDREN:
        raise LimitExceeded(
            f"a manifest lists {len(listed)} {key}, and {MOST_CHILDREN} are allowed", side="remote"
        )
    return tuple(Descriptor.from_json(v, f"{key}[{i}]") for i, v in enumerate(listed))


def _annotations(fields: Mapping[str, Any], where: str) -> Mapping[str, str]:
    value = fields.get("annotations")
    if value is None:
        return _NOTHING
    found = _mapping(value, f"{where}'s annotations")
    if not all(isinstance(v, str) for v in found.values()):
        raise _bad(f"{where} has an annotation that is not a string")
    return found


def _urls(fields: Mapping[str, Any], where: str) -> tuple[str, ...]:
    value = fields.get("urls")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(url, str) for url in value):
        raise _bad(f"{where}'s urls are not a list of strings")
    return tuple(value)


def _embedded(fields: Mapping[str, Any], digest: Digest, size: int, where: str) -> bytes | None:
    value = fields.get("data")
    if value is None:
        return None
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _bad(f"{where}'s data is not base64") from None
    if not digest.verifiable:
        return None
    verify(data, digest, size)
    return data
