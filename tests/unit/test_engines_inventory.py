"""Inventory files: what may be left out, and what is wrong with a file."""

import json
import os
from datetime import UTC, datetime

import pytest

from killick.errors import ContentError, LimitExceeded, NotFound, StoreError
from killick.fleet.engines import engine_at, inventory

SECONDS = 20
CONTAINERS = [{"id": "a", "image": "golftrack:1.5"}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "inventory.json"


def read(path, name=None):
    return engine_at(f"file://{path}", name).snapshot(SECONDS)


def test_containers_alone_are_enough(path):
    path.write_text(json.dumps({"containers": CONTAINERS}))
    os.utime(path, (1_793_534_400, 1_793_534_400))
    found = read(path)
    assert (found.host, found.engine) == (str(path), "inventory")
    assert found.taken == datetime.fromtimestamp(1_793_534_400, UTC)
    assert [c.id for c in found.containers] == ["a"]


def test_the_file_says_more(path):
    said = {"host": "ecs", "engine": "ecs", "taken": "2026-11-01T12:00:00Z", "containers": []}
    path.write_text(json.dumps(said))
    found = read(path)
    assert (found.host, found.engine) == ("ecs", "ecs")
    assert found.taken == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert read(path, "mine").host == "mine"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"containers": [{"id": "a"}]}'])
def test_what_is_no_inventory_is_named(path, text):
    path.write_text(text)
    with pytest.raises(ContentError, match=r"inventory\.json") as caught:
        read(path)
    assert caught.value.side == "file"


def test_a_file_has_to_be_there(path):
    with pytest.raises(NotFound, match="there is no file"):
        read(path)
    path.mkdir()
    with pytest.raises(StoreError, match="can't be read"):
        read(path)


def test_a_file_has_a_greatest_size(path, monkeypatch):
    monkeypatch.setattr(inventory, "MOST_BYTES", 10)
    path.write_text(json.dumps({"containers": CONTAINERS}))
    with pytest.raises(LimitExceeded):
        read(path)
