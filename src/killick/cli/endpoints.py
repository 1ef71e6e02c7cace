"""Endpoints: where an image is read from or written to, as people type it.

A bare reference is in a registry; `store:REF` in the local store; `oci:DIR[:TAG|@DIGEST]` in an OCI
layout; `oci-archive:FILE[:…]` and `docker-archive:FILE[:…]` in a tar of it, or of `docker save`. As
with skopeo, a path ends at its first colon; a full name may stand where a tag does, and always does
in a docker archive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from killick.digest import Digest
from killick.errors import BadReference, Unsupported, UsageError
from killick.names import DEFAULT_TAG, Reference, Tag

Scheme = Literal["registry", "store", "oci", "oci-archive", "docker-archive"]

_FILES = ("oci", "oci-archive", "docker-archive")
_DIGEST_AT_END = re.compile(r"(.*)@((?:sha256|sha512):[0-9a-f]+)")
_HEX_64 = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a copy; `text` is what was typed.

    In a registry or the store, `reference` is what is meant. Else `path` is the file or directory,
    `reference` the full name in it if one was given, and `tag` or `digest` what is meant there.
    """

    scheme: Scheme
    text: str
    reference: Reference | None = None
    path: Path | None = None
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return the endpoint that `text` names.

        Raises:
            BadReference: its reference is none.
            UsageError: it has no path.
            Unsupported: it is an engine.
        """
        scheme, colon, rest = text.partition(":")
        if colon and scheme == "docker-daemon":
            raise Unsupported(
                "a Docker or Podman engine can't be read or written directly yet",
                side="engine",
                hint="use docker save and killick load, or push to a registry",
            )
        if colon and scheme == "store":
            return cls._named("store", text, _name_or_digest(rest))
        for known in _FILES:
            if colon and scheme == known:
                return cls._in_files(known, text, rest)
        return cls._named("registry", text, Reference.parse(text))

    @classmethod
    def _named(cls, scheme: Scheme, text: str, reference: Reference | None) -> Endpoint:
        if reference is None:
            return cls(scheme, text)
        return cls(scheme, text, reference, None, reference.tag, reference.digest)

    @classmethod
    def _in_files(cls, scheme: str, text: str, rest: str) -> Endpoint:
        digest = None
        if match := _DIGEST_AT_END.fullmatch(rest):
            rest, digest = match[1], Digest.parse(match[2])
        file, _, name = rest.partition(":")
        if not file:
            raise UsageError(f"{text!r} names no path", hint=f"write it as {scheme}:PATH[:TAG]")
        kind: Scheme = next(k for k in ("oci", "oci-archive", "docker-archive") if k == scheme)
        path = Path(file).expanduser()
        if not name or (_TAG.fullmatch(name) and kind != "docker-archive"):
            return cls(kind, text, None, path, Tag(name) if name else None, digest)
        reference = Reference.parse(name)
        return cls(kind, text, reference, path, reference.effective_tag, digest)

    @property
    def name(self) -> Reference:
        """The reference of an endpoint in a registry or the store.

        Raises:
            UsageError: the endpoint is in files, or names content by its digest alone.
        """
        if self.reference is None:
            raise UsageError(f"{self.text!r} names no repository")
        return self.reference

    @property
    def file(self) -> Path:
        """The path of an endpoint in files.

        Raises:
            UsageError: the endpoint is in a registry or the store.
        """
        if self.path is None:
            raise UsageError(f"{self.text!r} names no path")
        return self.path

    @property
    def target_tag(self) -> Tag | None:
        """The tag to write: the one typed, `latest` for a bare reference, none beside a digest."""
        if self.tag is not None or self.digest is not None or self.path is not None:
            return self.tag
        return Tag(DEFAULT_TAG)

    @property
    def label(self) -> str:
        """What the image is called in a layout or an archive; "" if nothing was said."""
        if self.digest is not None:
            return str(self.digest)
        if self.reference is not None:
            return self.reference.canonical
        return self.tag or ""


def _name_or_digest(text: str) -> Reference | None:
    """Return the reference that `text` spells, None where it is a digest in hexadecimal digits."""
    try:
        return Reference.parse(text)
    except BadReference:
        if _HEX_64.fullmatch(text):
            return None
        raise
