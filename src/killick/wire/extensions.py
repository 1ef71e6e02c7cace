"""Extension discovery (`_oci/ext/discover`): what a registry offers beyond the specification.

Two extensions are known here: `_oci`, of which `tag-history` is the part that matters, and our own
`_killick`, whose features say what else a client may rely on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from killick.wire.reports import PATH_CONTAINERS, PATH_REPORTS

DISCOVER: Final = "_oci/ext/discover"
TAG_HISTORY: Final = "_oci/tag-history"
TOKEN: Final = "_killick/token"  # noqa: S105 - a path
OCI: Final = "_oci"
KILLICK: Final = "_killick"
SWAP: Final = "compare-and-swap"
CHAIN: Final = "ledger-chain"

WHOLE: Final[Mapping[str, str]] = {"Killick-Complete": "required"}
"""A request's header: an image that lacks its config or a layer is not to be taken, nor told of."""

OVERRIDE: Final[Mapping[str, str]] = {"Killick-Override": "immutable"}
"""A request's header: the rule that keeps a tag where it is shall give way, by an admin's right."""

CHANGE: Final = "Killick-Change"
"""An answer's header, one for each tag: what the request did to it."""

_OCI_URL = "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md"
_MOST = 100


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension, as it is announced: its endpoints are paths with `<name>` and the like.

    `features` is an addition of ours: what holds beyond the endpoints.
    """

    name: str
    url: str
    description: str
    endpoints: tuple[str, ...]
    features: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the entry of the list."""
        entry: dict[str, object] = {
            "name": self.name,
            "url": self.url,
            "description": self.description,
            "endpoints": list(self.endpoints),
        }
        return entry | ({"features": list(self.features)} if self.features else {})


LEDGER_EXTENSIONS: Final = (
    Extension(
        OCI,
        _OCI_URL,
        "discovery, and what a tag pointed to (the draft of July 2026)",
        (f"/v2/{DISCOVER}", f"/v2/<name>/{DISCOVER}", f"/v2/<name>/{TAG_HISTORY}/<tag>"),
    ),
    Extension(
        KILLICK,
        "docs/registry.md",
        "the ledger of all tags; If-Match and If-None-Match on PUT and DELETE of a manifest are"
        " honoured as compare-and-swap",
        (
            "/v2/<name>/_killick/history",
            "/v2/<name>/_killick/history/<tag>",
            "/v2/<name>/_killick/digests/<digest>",
            "/v2/<name>/_killick/tags",
            "/v2/<name>/_killick/rollback/<tag>",
            "/v2/<name>/_killick/chain",
            "/v2/_killick/openapi.json",
            PATH_REPORTS,
            f"{PATH_CONTAINERS}?digest=<digest>",
        ),
        (SWAP, CHAIN),
    ),
)
"""What a registry announces whose repositories are ledgers."""

PLAIN_EXTENSIONS: Final = (
    Extension(OCI, _OCI_URL, "discovery", (f"/v2/{DISCOVER}", f"/v2/<name>/{DISCOVER}")),
)
"""What a registry announces that keeps no history."""


def to_json(extensions: Iterable[Extension]) -> dict[str, object]:
    """Return the answer that announces `extensions`."""
    return {"extensions": [extension.to_json() for extension in extensions]}


def from_json(value: object) -> tuple[Extension, ...]:
    """Return the extensions that an answer announces; what is no entry is passed over.

    At most a hundred are taken.
    """
    listed = value.get("extensions") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return ()
    return tuple(
        Extension(
            entry["name"],
            _text(entry, "url"),
            _text(entry, "description"),
            _texts(entry, "endpoints"),
            _texts(entry, "features"),
        )
        for entry in listed[:_MOST]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    )


def tells_history(extensions: Iterable[Extension]) -> bool:
    """Return whether the tag history of the specification's extension is announced."""
    return any(e.name == OCI and any(TAG_HISTORY in p for p in e.endpoints) for e in extensions)


def is_ledger(extensions: Iterable[Extension]) -> bool:
    """Return whether our own extension, with compare-and-swap, is announced."""
    return any(e.name == KILLICK and SWAP in e.features for e in extensions)


def is_chained(extensions: Iterable[Extension]) -> bool:
    """Return whether our own extension, with ledgers that can be followed, is announced."""
    return any(e.name == KILLICK and CHAIN in e.features for e in extensions)


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _texts(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    values = entry.get(key)
    if not isinstance(values, list):
        return ()
    return tuple(value for value in values[:_MOST] if isinstance(value, str))
