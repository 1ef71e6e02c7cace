"""A snapshot as JSON: there and back the same, and what is wrong refused by name."""

import json
from datetime import UTC, datetime

import pytest

from killick import inventory
from killick.errors import ContentError, LimitExceeded
from killick.observation import Claim, Container, Snapshot, Workload
from killick.platforms import Platform

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FULL = Container(
    id="c1",
    name="web-1",
    image="golftrack:1.5",
    claims=(Claim("Image", "sha256:" + "1" * 64), Claim("RepoDigests", "golftrack@sha256:…")),
    names=("golftrack:1.5",),
    platform=Platform("linux", "arm64", "v8"),
    state="running",
    role="init",
    host="node-1",
    created=NOON,
    started=NOON,
    workload=Workload("Deployment", "web", "shop"),
    pulls="Always",
    labels={"team": "golf"},
)
PLAIN = {"host": "web1", "engine": "docker", "taken": "2026-11-01T12:00:00Z"}


def read(**fields):
    return inventory.from_json(PLAIN | fields, "it")


def contained(**fields):
    return read(containers=[{"id": "c", "image": "i"} | fields]).containers[0]


def test_a_snapshot_comes_back_the_same():
    snapshot = Snapshot("web1", "docker", NOON, (FULL, Container("c2", "c2", "golftrack")))
    text = json.dumps(inventory.to_json(snapshot))
    assert inventory.from_json(json.loads(text), "it") == snapshot


def test_a_failure_comes_back_the_same():
    snapshot = Snapshot("web1", "docker", NOON, failure="it does not answer")
    assert inventory.from_json(inventory.to_json(snapshot), "it") == snapshot


def test_little_need_be_said():
    assert contained() == Container("c", "c", "i")
    assert read().containers == ()


def test_a_platform_may_be_a_word():
    assert contained(platform="linux/arm64").platform == Platform("linux", "arm64")


def test_times_may_have_any_offset():
    assert contained(started="2026-11-01T14:00:00+02:00").started == NOON


def test_what_is_not_known_is_left_alone():
    assert contained(colour="red") == Container("c", "c", "i")


@pytest.mark.parametrize("value", [None, 1, "x", []])
def test_a_snapshot_is_an_object(value):
    with pytest.raises(ContentError, match="it is not a JSON object"):
        inventory.from_json(value, "it")


@pytest.mark.parametrize("key", ["host", "engine", "taken"])
def test_what_must_be_there(key):
    fields = {k: v for k, v in PLAIN.items() if k != key}
    with pytest.raises(ContentError, match=f"{key} of it is not a text"):
        inventory.from_json(fields, "it")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": None}, "id of it, container 1 is not a text"),
        ({"image": 3}, "image of it, container 1 is not a text"),
        ({"claims": {}}, "claims of it, container 1 is not a list"),
        ({"claims": [{"field": "x"}]}, "value of it, container 1 is not a text"),
        ({"names": [1]}, "names of it, container 1 is not a text"),
        ({"platform": "sun"}, "platform of it, container 1 is not a platform"),
        ({"platform": {"os": 1}}, "os of it, container 1 is not a text"),
        ({"role": "king"}, "role of it, container 1 is not one of container, init"),
        ({"created": "2026-11-01"}, "created of it, container 1 is not a time"),
        ({"started": "0001-01-01T00:00:00+20:00"}, "started of it, container 1 is not a time"),
        ({"workload": {"kind": "Job"}}, "name of it, container 1 is not a text"),
        ({"labels": {"a": 1}}, "labels of it, container 1 is not a text"),
    ],
)
def test_what_is_wrong_is_named(fields, message):
    with pytest.raises(ContentError, match=message):
        contained(**fields)


def test_containers_are_a_list():
    with pytest.raises(ContentError, match="containers of it is not a list"):
        read(containers="web-1")


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "x" * (inventory.MOST_CHARACTERS + 1)},
        {"names": ["x"] * (inventory.MOST_ITEMS + 1)},
        {"claims": [{"field": "a", "value": "b"}] * (inventory.MOST_ITEMS + 1)},
        {"labels": {str(n): "" for n in range(inventory.MOST_ITEMS + 1)}},
    ],
)
def test_a_container_has_limits(fields):
    with pytest.raises(LimitExceeded):
        contained(**fields)


def test_a_snapshot_has_a_limit():
    with pytest.raises(LimitExceeded, match="more than 100000 containers"):
        read(containers=[0] * (inventory.MOST_CONTAINERS + 1))
