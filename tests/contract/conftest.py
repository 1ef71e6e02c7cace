import pytest

from contract.implementations import IMPLEMENTATIONS


@pytest.fixture(params=IMPLEMENTATIONS)
def place(request, tmp_path):
    """An empty registry, of each implementation in turn."""
    with IMPLEMENTATIONS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def repository(place):
    return place.repository()


@pytest.fixture(params=IMPLEMENTATIONS)
def other_place(request, tmp_path):
    """A second empty registry, of each implementation in turn."""
    with IMPLEMENTATIONS[request.param](tmp_path / "other") as opened:
        yield opened


@pytest.fixture
def other(other_place):
    return other_place.repository("elsewhere/golftrack")
