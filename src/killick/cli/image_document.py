"""What `killick inspect` says of an image, under docker's field names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from killick.cli.template_functions import Record
from killick.cli.variants import Variant
from killick.manifest import Config, Descriptor, Index, Manifest
from killick.repository import Content

_CONFIG: Mapping[str, Any] = {
    "User": "",
    "ExposedPorts": {},
    "Env": [],
    "Entrypoint": [],
    "Cmd": [],
    "Volumes": {},
    "WorkingDir": "",
    "Labels": {},
    "StopSignal": "",
}
"""What containers are started with, so that a template may ask for what an image leaves out."""


@dataclass(frozen=True, slots=True)
class Names:
    """By which names an image goes: `tags` as `alpine:3.22`, `digests` as `alpine@sha256:…`."""

    tags: tuple[str, ...]
    digests: tuple[str, ...]


def image_document(image: Variant, content: Content, names: Names) -> Record:
    """Return everything known about an image.

    What is about one platform (Id, Config, RootFS, Size …) is the chosen variant's; Digest,
    MediaType and Manifests are those of what the name means.

    Raises:
        ContentError: the config's layers are no digests.
    """
    manifest, root = image.manifest, image.root
    return Record(
        {
            "Id": str(manifest.config.digest if image.config else root.digest),
            "RepoTags": list(names.tags),
            "RepoDigests": list(names.digests),
            "Digest": str(root.digest),
            "MediaType": root.media_type,
        }
        | _described(image.config or Config({}))
        | {
            "Size": sum({d.digest: d.size for d in manifest.children()}.values()),
            "Manifest": _manifest(manifest),
            "Manifests": _manifests(root, content) if isinstance(root, Index) else None,
            "ArtifactType": manifest.artifact_type,
            "Annotations": dict(root.annotations),
            "Subject": root.subject and root.subject.to_json(),
        }
    )


def _described(config: Config) -> dict[str, object]:
    """Return what an image's config says, what it leaves out as empty."""
    fields = config.fields
    stated = fields.get("config")
    platform = config.platform
    return {
        "Created": config.created,
        "Author": fields.get("author") or "",
        "Architecture": platform.architecture,
        "Variant": platform.variant or "",
        "Os": platform.os,
        "OsVersion": platform.os_version or "",
        "Config": Record({**_CONFIG, **_without_nulls(stated)}),
        "RootFS": Record({"Type": "layers", "Layers": [str(d) for d in config.diff_ids]}),
    }


def _without_nulls(value: object) -> dict[str, object]:
    found = value if isinstance(value, dict) else {}
    return {key: part for key, part in found.items() if part is not None}


def _manifest(manifest: Manifest) -> Record:
    """Return the chosen variant's own digest, and what it is made of, as it is stored."""
    return Record(
        {
            "Digest": str(manifest.digest),
            "MediaType": manifest.media_type,
            "Config": _plain(manifest.config),
            "Layers": [_plain(layer) for layer in manifest.layers],
        }
    )


def _manifests(index: Index, content: Content) -> list[Record]:
    """Return what an index lists; `Held` says whether it is here."""
    return [_listed(child, held=content.has(child)) for child in index.manifests]


def _listed(child: Descriptor, *, held: bool) -> Record:
    return Record(
        {
            **_plain(child),
            "Platform": str(child.platform) if child.platform else None,
            "ArtifactType": child.artifact_type,
            "Annotations": dict(child.annotations),
            "Held": held,
        }
    )


def _plain(d: Descriptor) -> Record:
    return Record({"Digest": str(d.digest), "MediaType": d.media_type, "Size": d.size})


def sorted_names(tags: Iterable[str], digests: Iterable[str]) -> Names:
    """Return names in their order, each once."""
    return Names(tuple(sorted(set(tags))), tuple(sorted(set(digests))))
