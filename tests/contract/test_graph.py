"""What registries know of images that are elsewhere or gone, and what they keep that is said."""

import json

import pytest

import images
from killick.digest import Digest
from killick.knowledge import FLAGGED, Advising, Advisory, Graph
from killick.manifest import OCI_LAYER, OCI_MANIFEST, Config, Descriptor, parse_document
from killick.names import Name, Tag
from killick.openvex import Say, compose, parse
from killick.repository import Cause
from killick.transfer import fetch, fetch_bytes
from stores import START

KEEPERS = ["memory", "store"]
BASE = Digest.of(b"a base")
NAME = Name.parse("registry.example/team/golftrack")


@pytest.fixture
def graph(place):
    assert isinstance(place.registry, Graph)
    return place.registry


@pytest.fixture
def advising(place):
    assert isinstance(place.registry, Advising)
    return place.registry


def said(status="affected", version=1, vulnerability="CVE-2026-1"):
    vex = compose(vulnerability, [Say(NAME, BASE, status, "why")], "tester", START)
    return parse(json.dumps(json.loads(vex.raw) | {"version": version}).encode())


@pytest.mark.parametrize("place", KEEPERS, indirect=True)
class TestGraph:
    def test_nothing_is_known_of_what_was_never_seen(self, graph):
        assert graph.node(BASE) is None
        assert list(graph.parents(BASE, "config")) == []
        assert list(graph.stays(BASE)) == []

    def test_an_index_lists_its_manifests_with_their_platforms(self, graph, repository):
        root = images.multi_platform(repository)
        node = graph.node(root.digest)
        assert (node.kind, node.media_type, node.size) == ("index", root.media_type, root.size)
        listed = fetch(repository, root).children()
        assert [(c.digest, c.platform) for c in node.children] == [
            (c.digest, c.platform) for c in listed
        ]

    def test_a_manifest_lists_config_and_layers_and_what_it_is_built_on(self, graph, repository):
        note = {"org.opencontainers.image.base.digest": str(BASE)}
        d = images.image(repository, layers=2, annotations=note)
        node = graph.node(d.digest)
        listed = [c.digest for c in fetch(repository, d).children()]
        assert (node.kind, node.base) == ("manifest", BASE)
        assert [c.digest for c in node.children] == listed

    def test_a_base_that_is_no_digest_is_none(self, graph, repository):
        note = {"org.opencontainers.image.base.digest": "debian:12"}
        d = images.image(repository, annotations=note)
        assert graph.node(d.digest).base is None

    def test_a_config_tells_its_platform_and_diff_ids(self, graph, repository):
        d = images.image(repository, platform=images.ARM64, layers=2)
        document = fetch(repository, d)
        raw = fetch_bytes(repository, document.config, 10**6)
        node = graph.node(document.config.digest)
        assert (node.kind, node.size, node.platform) == ("config", len(raw), images.ARM64)
        assert node.diff_ids == Config.parse(raw).diff_ids
        for diff_id in node.diff_ids:
            assert graph.node(diff_id).kind == "diff"
            assert list(graph.parents(diff_id, "diff")) == [document.config.digest]

    def test_what_only_a_parent_names_is_known_by_it(self, graph, repository):
        root = images.multi_platform(repository)
        layer = fetch(repository, fetch(repository, root).children()[0]).children()[1]
        node = graph.node(layer.digest)
        assert (node.kind, node.size, node.children) == ("layer", layer.size, None)

    def test_parents_are_by_what_the_child_is_to_them(self, graph, repository):
        root = images.multi_platform(repository)
        manifests = fetch(repository, root).children()
        config = fetch(repository, manifests[0]).children()[0]
        assert list(graph.parents(manifests[0].digest, "manifest")) == [root.digest]
        assert list(graph.parents(config.digest, "config")) == [manifests[0].digest]
        assert list(graph.parents(config.digest, "layer")) == []

    def test_one_config_in_two_manifests_has_two_parents(self, graph, repository):
        d = images.image(repository)
        other = images.image(repository, annotations={"mirror": "yes"})
        config = fetch(repository, d).config.digest
        assert list(graph.parents(config, "config")) == sorted([d.digest, other.digest])

    def test_it_is_known_when_the_content_is_gone(self, graph, repository):
        d = images.image(repository)
        document = fetch(repository, d)
        repository.delete(d)
        repository.delete(document.config)
        assert graph.node(d.digest).kind == "manifest"
        assert graph.node(document.config.digest).diff_ids
        assert list(graph.parents(document.config.digest, "config")) == [d.digest]

    def test_what_was_seen_elsewhere_can_be_learned_and_is_not_here(self, graph, repository):
        layer = Descriptor(OCI_LAYER, Digest.of(b"layer"), 5)
        raw_config = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
        config = Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(raw_config), 44)
        manifest = parse_document(
            json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": OCI_MANIFEST,
                    "config": config.to_json(),
                    "layers": [layer.to_json()],
                }
            ).encode()
        )
        for _ in range(2):
            graph.learn(manifest.digest, manifest)
            graph.learn(config.digest, Config.parse(raw_config))
        assert graph.node(manifest.digest).children[0].digest == config.digest
        assert graph.node(config.digest).platform == images.AMD64
        assert graph.node(config.digest).diff_ids == ()
        assert not repository.has(manifest.descriptor)
        assert not repository.complete(manifest.descriptor)

    def test_stays_tell_when_tags_pointed_there(self, graph, repository):
        one, two = (images.image(repository, {"app": text}) for text in (b"one", b"two"))
        for d in (one, two, one):
            repository.tag(Tag("1.5"), d)
        repository.move(Tag("1.5"), two.plain(), Cause("observed", "me", "docker.io", False))
        moves = list(repository.history(Tag("1.5")))
        stays = list(graph.stays(one.digest))
        assert [(s.tag, s.origin, s.authoritative) for s in stays] == [("1.5", "local", True)] * 2
        spans = sorted((s.since, s.until is None, s.until or s.since) for s in stays)
        expected = [(moves[0].time, True, moves[0].time), (moves[2].time, False, moves[1].time)]
        assert spans == sorted(expected)
        seen = [s for s in graph.stays(two.digest) if s.origin == "docker.io"]
        assert [(s.authoritative, s.until) for s in seen] == [(False, None)]
        assert seen[0].repository == repository.name

    def test_a_removed_tag_ends_its_stay(self, graph, repository):
        d = images.image(repository)
        repository.tag(Tag("1.5"), d)
        repository.untag(Tag("1.5"))
        assert [stay.until is None for stay in graph.stays(d.digest)] == [False]


@pytest.mark.parametrize("place", KEEPERS, indirect=True)
class TestAdvising:
    def test_documents_are_kept_as_they_are_oldest_first(self, advising):
        for number in (2, 1):
            vex = said(vulnerability=f"CVE-2026-{number}")
            assert advising.advise(Advisory(vex, FLAGGED))
        kept = list(advising.advisories())
        assert [a.vex.statements[0].vulnerability for a in kept] == ["CVE-2026-2", "CVE-2026-1"]
        assert kept[0] == Advisory(said(vulnerability="CVE-2026-2"), FLAGGED)

    def test_a_newer_version_replaces_an_older_and_no_older_a_newer(self, advising):
        assert advising.advise(Advisory(said(version=2), FLAGGED))
        assert not advising.advise(Advisory(said(version=2), FLAGGED))
        assert not advising.advise(Advisory(said(version=1), FLAGGED))
        assert advising.advise(Advisory(said(version=3), FLAGGED))
        assert [a.vex.version for a in advising.advisories()] == [3]

    def test_another_source_replaces_nothing(self, advising):
        advising.advise(Advisory(said(), FLAGGED))
        assert advising.advise(Advisory(said(version=9), "registry:evil.example/a"))
        assert [a.vex.version for a in advising.advisories()] == [1, 9]

    def test_what_it_was_attached_to_is_kept(self, advising):
        vex = parse(said().raw, BASE)
        advising.advise(Advisory(vex, "registry:a.example/b"))
        assert [a.vex.subject for a in advising.advisories()] == [BASE]

    def test_a_document_can_be_taken_back(self, advising):
        advisory = Advisory(said(), FLAGGED)
        advising.advise(advisory)
        assert not advising.retract(Advisory(advisory.vex, "file:other"))
        assert advising.retract(advisory)
        assert not advising.retract(advisory)
        assert list(advising.advisories()) == []
