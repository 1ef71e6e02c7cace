"""Heads as text and JSON."""

import pytest

from killick import chain
from killick.repository import Head

HASH = "9f" * 32


def test_a_head_goes_through_a_header():
    assert chain.from_text(chain.to_text(Head(12, HASH))) == Head(12, HASH)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "12", f"0-{HASH}", f"-1-{HASH}", f"12-{HASH}\n", f"12-{HASH.upper()}"),
        *(f"1٢-{HASH}", "9" * 5000 + f"-{HASH}", f"12-{HASH}0"),
    ],
)
def test_what_is_no_head_is_none(text):
    assert chain.from_text(text) is None


@pytest.mark.parametrize(
    ("value", "head"),
    [
        ({"sequence": 12, "hash": HASH}, Head(12, HASH)),
        ({"sequence": 0, "hash": ""}, chain.EMPTY),
        ({"sequence": 0, "hash": HASH}, None),
        ({"sequence": 12, "hash": ""}, None),
        ({"sequence": 10**30, "hash": HASH}, None),
        ({"sequence": -1, "hash": HASH}, None),
        ({"sequence": "12", "hash": HASH}, None),
        ({"sequence": 12}, None),
        ([], None),
        (None, None),
    ],
)
def test_heads_in_json(value, head):
    assert chain.from_json(value) == head
