"""What `make fuzz` fuzzes by coverage, here under its corpus, changed at random, and any bytes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.corpus import corpus
from fuzz.targets import TARGETS

CORPUS = corpus()
EXAMPLES = 60


def test_every_target_has_a_corpus():
    assert CORPUS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_read(name):
    for example in CORPUS[name]:
        TARGETS[name](example)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_right(name):
    """Cut, doubled, exchanged and turned at random, always in the same way."""
    dice = random.Random(name)
    for example in CORPUS[name]:
        for _ in range(EXAMPLES):
            TARGETS[name](changed(bytearray(example), dice))


def changed(data, dice):
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        deed = dice.randrange(5)
        if deed == 0 and data:
            data[min(at, len(data) - 1)] = dice.randrange(256)
        elif deed == 1:
            del data[at : min(to, at + 40)]
        elif deed == 2:
            data[at:at] = data[at : min(to, at + 40)]
        elif deed == 3:
            data[at:at] = dice.choice([b"\0", b"..", b"/", b"%2f", b"-1", b"[" * 70, b'"', b"\xff"])
        else:
            data = data[:at] if dice.random() < 0.3 else data
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name):
    @settings(max_examples=EXAMPLES)
    @given(st.binary(max_size=200))
    def anything(data):
        TARGETS[name](data)

    anything()
