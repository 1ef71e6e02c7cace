"""Fleets made up with their truth: images that share parts, a tag's past, containers, statements.

The truth is kept in plain dictionaries, apart from anything that Killick works out.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from killick.digest import Digest
from killick.fleet.advice import Advice
from killick.fleet.lore import Lore
from killick.fleet.past import Records, join
from killick.fleet.view import View
from killick.knowledge import FLAGGED, Advisory
from killick.manifest import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Config,
    Descriptor,
    parse_document,
)
from killick.memory import MemoryRegistry
from killick.names import Name, Tag
from killick.observation import Claim, Container, Snapshot
from killick.openvex import Say, compose
from killick.platforms import Platform
from killick.repository import Cause

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
NOBODY = Platform("unknown", "unknown")
NAME = Name.parse("registry.example/team/golftrack")
OTHER = Name.parse("mirror.example/golftrack")
TAG = Tag("1.5")
START = datetime(2026, 11, 1, tzinfo=UTC)


def _json(value):
    return json.dumps(value).encode()


@dataclass
class Images:
    """Images by digest: what each document is, and (the truth) which configs it holds."""

    documents: dict = field(default_factory=dict)
    configs: dict = field(default_factory=dict)
    holds: dict = field(default_factory=dict)
    manifests: dict = field(default_factory=dict)

    def config(self, label, platform, layers=("base",)):
        raw = _json(
            platform.to_json()
            | {
                "config": {"Labels": {"label": label}},
                "rootfs": {"diff_ids": [str(Digest.of(f"diff {n}".encode())) for n in layers]},
            }
        )
        digest = Digest.of(raw)
        self.configs[digest] = (Config.parse(raw), platform)
        self.holds[digest] = frozenset({digest})
        return digest

    def manifest(self, config, pack="gzip", layers=("base",), **fields):
        listed = [Descriptor(OCI_LAYER_GZIP, Digest.of(f"{pack} {n}".encode()), 10) for n in layers]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": Descriptor(OCI_CONFIG, config, self.configs[config][0].size).to_json(),
            "layers": [d.to_json() for d in listed],
        } | fields
        digest = self._keep(document)
        self.holds[digest] = self.holds[config]
        self.manifests[digest] = config
        return digest

    def index(self, children, note=""):
        """Keep an index of `[(digest, platform or None)]`."""
        listed = [
            self.documents[d].descriptor.to_json() | ({"platform": p.to_json()} if p else {})
            for d, p in children
        ]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": listed,
            "annotations": {"note": note},
        }
        digest = self._keep(document)
        images = [d for d, p in children if p is None or p.os != "unknown"]
        self.holds[digest] = frozenset().union(*(self.holds[d] for d in images))
        return digest

    def _keep(self, document):
        parsed = parse_document(_json(document))
        self.documents[parsed.digest] = parsed
        return parsed.digest

    def teach(self, graph, *, without=()):
        """Let a graph know all documents and configs but some."""
        for digest, document in self.documents.items():
            if digest not in without:
                graph.learn(digest, document)
        for digest, (config, _) in self.configs.items():
            if digest not in without:
                graph.learn(digest, config)


class World:
    """A graph with a ledger, and a view of it, for the tag `NAME:TAG`."""

    def __init__(self):
        self.now = START
        self.registry = MemoryRegistry(clock=lambda: self.now)
        self.images = Images()

    def move(self, digest, *, authoritative=True, origin=NAME.domain, name=NAME, tag=TAG):
        """Let the tag point to a digest (None: nowhere), an hour later."""
        self.now += timedelta(hours=1)
        to = digest and self.images.documents[digest].descriptor.plain()
        cause = Cause("pushed", "tester", origin, authoritative)
        self.registry.repository(str(name)).move(tag, to, cause)

    def say(self, digest, status, vulnerability="CVE-2026-1", source=FLAGGED):
        self.now += timedelta(hours=1)
        said = [Say(NAME, digest, status, "because")]
        vex = compose(vulnerability, said, "tester", self.now)
        assert self.registry.advise(Advisory(vex, source))

    def past(self, name=NAME, tag=TAG):
        repository = self.registry.repository(str(name))
        seen = list(repository.history(tag, name.domain))
        return join(name, tag, Records(None, seen, list(repository.history(tag))))

    def view(self):
        lore = Lore(self.registry)
        return View(lore, Advice(lore, self.registry.advisories()), self.past)

    def judge(self, container):
        """Return the verdict on a container by the tag."""
        view = self.view()
        return view.against(view.look(snapshot(container), container), self.past()).verdict


def container(*claims, image=f"{NAME}:{TAG}", platform=AMD64, **more):
    """Return a container whose engine claims digests: each a value, or `(field, value)`."""
    pairs = [c if isinstance(c, tuple) else ("image", c) for c in claims]
    return Container(
        more.pop("id", "1"),
        more.pop("name", "web"),
        image,
        tuple(Claim(field, str(value)) for field, value in pairs),
        platform=platform,
        **more,
    )


def snapshot(*containers, host="web1", engine="docker"):
    return Snapshot(host, engine, START, containers)
