"""Chained: the entries of a ledger lead from any earlier head to the one at its end."""

import pytest

import images
from contract.implementations import having
from killick import chain
from killick.errors import HistoryRewritten
from killick.names import Tag
from killick.repository import Cause, Chained

pytestmark = pytest.mark.parametrize("place", having(Chained), indirect=True)

PUSHED = Cause("pushed", "mate@deck")


@pytest.fixture
def heads(repository):
    """The heads that the ledger had: of two tags, one observed elsewhere, and a removal."""
    builds = [images.image(repository, {"build": bytes([n])}) for n in range(3)]
    found = [repository.head()]
    for tag, to, cause in (
        ("1.5", builds[0], PUSHED),
        ("1.6", builds[1], PUSHED),
        ("1.5", builds[2], Cause("observed", "mate@deck", "registry.example", False)),
        ("1.5", None, Cause("deleted", "mate@deck")),
    ):
        repository.move(Tag(tag), to, cause)
        found.append(repository.head())
    return found


def test_heads_count_the_entries(heads):
    assert [head.sequence for head in heads] == [0, 1, 2, 3, 4]
    assert heads[0] == chain.EMPTY
    assert len({head.hash for head in heads}) == 5


def test_entries_lead_from_every_head_to_the_end(repository, heads):
    for number, start in enumerate(heads):
        entries = list(repository.entries(start.sequence))
        assert [head for _, head in chain.follow(start, entries)] == heads[number + 1 :]


def test_an_entry_is_told_whatever_its_origin(repository, heads):
    assert [entry.cause.origin for entry in repository.entries(0)][2] == "registry.example"


def test_entries_are_in_order_and_without_gaps(repository, heads):
    first, second, *_ = repository.entries(0)
    for wrong in ([second], [first, first], [second, first]):
        with pytest.raises(HistoryRewritten):
            list(chain.follow(heads[0], wrong))


def test_another_head_leads_elsewhere(repository, heads):
    forged = chain.Head(1, "0" * 64)
    *_, (_, end) = chain.follow(forged, repository.entries(1))
    assert end.sequence == heads[-1].sequence
    assert end != heads[-1]
