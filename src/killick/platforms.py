"""Platforms: what an image runs on, and which variant of an image suits a machine.

Names follow OCI image-index ("platform object"); normal forms and the order of compatible
variants follow containerd, so that Killick picks what docker would pick.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from killick.errors import BadPlatform

_PART = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ARCHITECTURES = {
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "i386": ("386", None),
    "i686": ("386", None),
    "aarch64": ("arm64", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
}
_DEFAULT_VARIANTS = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_OPERATING_SYSTEMS = {"macos": "darwin"}

# What Go knows, whose names OCI uses: one word alone is one of these, or a slip of the hand.
_KNOWN_SYSTEMS = frozenset(
    {"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux"}
    | {"netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows"}
)
_KNOWN_ARCHITECTURES = frozenset(
    {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"}
    | {"ppc64", "ppc64le", "riscv64", "s390x", "wasm"}
)


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system, an architecture and a variant, in OCI's words (GOOS and GOARCH).

    `parse` and `from_json` normalise spellings (`x86_64`, `aarch64`, `armhf`) but never invent a
    variant: `arm64` and `arm64/v8` are two values that match each other.
    """

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Return the platform that `text` names: `linux/arm/v7`, `linux/amd64`, or `arm64`.

        One word is an architecture of Linux, or a system on this machine's architecture.

        Raises:
            BadPlatform: `text` is not `os/architecture[/variant]`, nor a word that is known.
        """
        parts = text.lower().split("/")
        if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
            raise BadPlatform(f"{text!r} is not a platform", hint="write it as linux/arm64/v8")
        if len(parts) == 1:
            return cls._of_one_word(text)
        return cls(*_normal(parts[0], parts[1], parts[2] if len(parts) == 3 else None))

    @classmethod
    def _of_one_word(cls, word: str) -> Platform:
        system, architecture, variant = _normal(word, word, None)
        if system in _KNOWN_SYSTEMS:
            host = cls.host()
            return cls(system, host.architecture, host.variant)
        if architecture in _KNOWN_ARCHITECTURES:
            return cls("linux", architecture, variant)
        raise BadPlatform(
            f"{word!r} is neither a system nor an architecture", hint="write it as linux/arm64/v8"
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Platform:
        """Return the platform in an image index's `platform`, or in a config (OCI field names).

        Values of a wrong type are taken as absent: such a platform matches nothing.
        """

        def text(key: str) -> str:
            found = value.get(key)
            return found if isinstance(found, str) else ""

        features = value.get("os.features")
        listed = features if isinstance(features, list) else []
        return cls(
            *_normal(text("os"), text("architecture"), text("variant") or None),
            text("os.version") or None,
            tuple(f for f in listed if isinstance(f, str)),
        )

    @classmethod
    def host(cls) -> Platform:
        """Return the platform whose images this machine runs: Linux, on its own architecture."""
        return cls(*_normal("linux", os.uname().machine.lower(), None))

    def to_json(self) -> dict[str, Any]:
        """Return the OCI form, absent parts left out."""
        value: dict[str, Any] = {"architecture": self.architecture, "os": self.os}
        if self.variant:
            value["variant"] = self.variant
        if self.os_version:
            value["os.version"] = self.os_version
        if self.os_features:
            value["os.features"] = list(self.os_features)
        return value

    def rank(self, offered: Platform) -> int | None:
        """Return how well an image for `offered` suits this platform: 0 is best, None is not."""
        if offered.os != self.os or (self.os_version and offered.os_version != self.os_version):
            return None
        order = _compatible(self.architecture, self.variant)
        variant = offered.variant or _DEFAULT_VARIANTS.get(offered.architecture)
        try:
            return order.index((offered.architecture, variant))
        except ValueError:
            return None

    def matches(self, offered: Platform) -> bool:
        """Return whether an image for `offered` runs here."""
        return self.rank(offered) is not None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def best(wanted: Platform, offered: Iterable[Platform]) -> Platform | None:
    """Return the one of `offered` that suits `wanted` best (the first of equals), or None."""
    ranked = [(rank, i, p) for i, p in enumerate(offered) if (rank := wanted.rank(p)) is not None]
    return min(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def _normal(system: str, architecture: str, variant: str | None) -> tuple[str, str, str | None]:
    system = _OPERATING_SYSTEMS.get(system.lower(), system.lower())
    architecture, implied = _ARCHITECTURES.get(architecture.lower(), (architecture.lower(), None))
    variant = variant.lower() if variant else implied
    if variant and variant.isdigit():
        variant = f"v{variant}"
    return system, architecture, variant


def _compatible(architecture: str, variant: str | None) -> list[tuple[str, str | None]]:
    """Return what runs on an architecture, best first."""
    variant = variant or _DEFAULT_VARIANTS.get(architecture)
    number = int(variant[1:]) if variant and re.fullmatch(r"v\d", variant) else None
    if number is None or architecture not in _DEFAULT_VARIANTS:
        return [(architecture, variant)]
    lowest = {"arm": 5, "arm64": 8, "amd64": 1}[architecture]
    order: list[tuple[str, str | None]] = [
        (architecture, f"v{n}") for n in range(number, min(lowest, number) - 1, -1)
    ]
    if architecture == "arm64":
        order += [("arm", f"v{n}") for n in (8, 7, 6, 5)]
    return order
