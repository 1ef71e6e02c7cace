"""The tag history of the `_oci` extension: written, and read again."""

from datetime import timedelta

import pytest

from killick.digest import Digest
from killick.errors import ContentError
from killick.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor
from killick.names import Tag
from killick.repository import Cause, Move
from killick.wire import tag_history
from stores import START

TAG = Tag("1.5")
ONE, TWO = (Descriptor(OCI_MANIFEST, Digest.of(text), 3) for text in (b"one", b"two"))


def recorded(*places):
    """Return the moves of a tag through `places` (None: deleted), newest first."""
    moves, standing = [], None
    for number, to in enumerate(places, 1):
        cause = Cause("deleted" if to is None else "pushed", "", "registry.example")
        time = START + timedelta(minutes=number)
        moves.append(
            Move(number, time, "registry.example/a", TAG, to, standing and standing.digest, cause)
        )
        standing = to
    return moves[::-1]


def test_the_shape_is_that_of_the_draft():
    page = tag_history.to_json(tag_history.events(recorded(ONE, None)))
    assert (page["schemaVersion"], page["mediaType"]) == (2, OCI_INDEX)
    assert page["manifests"][0] == {
        "mediaType": OCI_MANIFEST,
        "digest": str(ONE.digest),
        "size": 3,
        "annotations": {
            "org.opencontainers.distribution.tag.timestamp": "2026-11-01T12:02:00.000000Z",
            "org.opencontainers.distribution.tag.event": "deleted",
        },
    }


@pytest.mark.parametrize(
    "places", [(), (ONE,), (ONE, TWO, ONE), (ONE, None), (ONE, None, TWO), (ONE, TWO, None, ONE)]
)
def test_what_is_told_is_understood(places):
    moves = recorded(*places)
    page = tag_history.to_json(tag_history.events(moves))
    told = tag_history.moves(
        tag_history.from_json(page), "registry.example/a", TAG, "registry.example"
    )
    found = [(m.time, m.to, m.previous, m.cause, m.repository) for m in told]
    assert found == [(m.time, m.to, m.previous, m.cause, m.repository) for m in moves]


ENTRY = tag_history.to_json(tag_history.events(recorded(ONE)))["manifests"][0]


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"manifests": None},
        {"manifests": [None]},
        {"manifests": [{}]},
        {"manifests": [ONE.to_json()]},
        {"manifests": [ENTRY | {"annotations": {tag_history.EVENT: "created"}}]},
        {"manifests": [ENTRY | {"annotations": ENTRY["annotations"] | {tag_history.EVENT: "x"}}]},
        {
            "manifests": [
                ENTRY
                | {"annotations": ENTRY["annotations"] | {tag_history.TIMESTAMP: "2026-11-01"}}
            ]
        },
    ],
)
def test_what_is_no_history_is_refused(page):
    with pytest.raises(ContentError):
        list(tag_history.from_json(page))


def test_times_of_other_zones_are_understood():
    annotations = ENTRY["annotations"] | {tag_history.TIMESTAMP: "2026-11-01T14:01:00+02:00"}
    (event,) = tag_history.from_json({"manifests": [ENTRY | {"annotations": annotations}]})
    assert event.time == START + timedelta(minutes=1)
