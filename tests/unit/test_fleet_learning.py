"""What the graph lacks is fetched where the words say it may be: manifests, configs, no layers."""

import json

import pytest

import images
from killick.client import RemoteRegistry
from killick.digest import Digest
from killick.errors import Denied, Unreachable
from killick.fleet.learning import Learner
from killick.fleet.lore import Lore
from killick.memory import MemoryRegistry
from killick.names import Name
from killick.transfer import fetch
from lying import Honest, Reply, Site

NAME, OTHER = Name.parse("a.example/golftrack"), Name.parse("b.example/golftrack")


class Places:
    """Repositories by name, which count what is opened; `errors` are raised for a domain."""

    def __init__(self, errors=()):
        self.registry = MemoryRegistry()
        self.errors = dict(errors)
        self.opened = []

    def __call__(self, name):
        self.opened.append(str(name))
        if name.domain in self.errors:
            raise self.errors[name.domain]
        return self.registry.repository(str(name))


@pytest.fixture
def places():
    return Places()


@pytest.fixture
def lore():
    return Lore(MemoryRegistry())


def put(places, name=NAME):
    return images.multi_platform(places.registry.repository(str(name)))


def test_an_index_is_learned_with_all_its_manifests(places, lore):
    root = put(places)
    Learner(lore, places).images({root.digest: (NAME,)})
    reach = lore.reach(root.digest)
    assert len(reach.manifests) == 2
    assert reach.is_whole


def test_attestations_are_left_where_they_are(places, lore):
    repository = places.registry.repository(str(NAME))
    child = images.image(repository)
    nobody = images.Platform("unknown", "unknown")
    other = images.image(repository, {"x": b"attested"}, nobody)
    root = images.index(repository, [(child, images.AMD64), (other, nobody)])
    Learner(lore, places).images({root.digest: (NAME,)})
    assert lore.node(other.digest).children is None
    assert lore.reach(root.digest).is_whole


def test_configs_are_learned_where_they_are_wanted(places, lore):
    root = put(places)
    learner = Learner(lore, places)
    learner.images({root.digest: (NAME,)})
    configs = lore.reach(root.digest).configs
    assert {lore.node(config).diff_ids for config in configs} == {None}
    learner.configs({root.digest: (NAME,)})
    assert all(len(lore.node(config).diff_ids) == 2 for config in configs)


def test_what_is_known_is_not_asked_for(places, lore):
    root = put(places)
    learner = Learner(lore, places)
    learner.images({root.digest: (NAME,)})
    places.opened.clear()
    learner.images({root.digest: (NAME,)})
    assert places.opened == []


def test_the_places_are_tried_in_turn_and_once(places, lore):
    root, strange = put(places, OTHER), Digest.of(b"strange")
    learner = Learner(lore, places)
    learner.images({root.digest: (NAME, OTHER), strange: (NAME, OTHER)})
    assert lore.node(root.digest).kind == "index"
    assert lore.node(strange) is None
    places.opened.clear()
    learner.images({strange: (NAME, OTHER)})
    assert places.opened == []


def test_a_registry_that_is_down_is_asked_once(lore):
    error = Unreachable("nothing is there")
    places = Places({NAME.domain: error})
    root = put(places, OTHER)
    learner = Learner(lore, places)
    digests = [Digest.of(bytes([n])) for n in range(50)]
    learner.images(dict.fromkeys(digests, (NAME,)) | {root.digest: (NAME, OTHER)})
    assert learner.failed == {NAME.domain: error}
    assert places.opened.count(str(NAME)) <= 8  # as many as are asked at once
    assert lore.reach(root.digest).is_whole


def test_a_repository_that_is_closed_says_nothing_of_others(lore):
    places = Places({NAME.domain: Denied("not for you")})
    learner = Learner(lore, places)
    learner.images({Digest.of(b"x"): (NAME,)})
    assert learner.failed == {}


def test_no_layer_is_ever_asked_for_and_no_lie_believed(lore):
    honest = Honest()
    repository = honest.repository()
    root = images.multi_platform(repository)
    lie = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    liar = Digest.of(b"the truth")

    def answer(seen):
        if str(liar) in seen.path:
            headers = {"Content-Type": root.media_type, "Docker-Content-Digest": str(liar)}
            return Reply(200, lie, headers)
        return honest(seen)

    with Site(answer) as site, RemoteRegistry(site.domain) as registry:
        name = Name(site.domain, "a/b")
        learner = Learner(lore, lambda place: registry.repository(place.path))
        learner.configs({root.digest: (name,), liar: (name,)})
        paths = {seen.path for seen in site.seen}
    layers = {d.digest for m in fetch(repository, root).children() for d in _layers(repository, m)}
    assert not any(str(layer) in path for path in paths for layer in layers)
    assert lore.reach(root.digest).is_whole
    assert lore.node(liar) is None


def _layers(repository, manifest):
    return fetch(repository, manifest).layers
