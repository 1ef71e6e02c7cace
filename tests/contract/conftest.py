import pytest

from contract.implementations import IMPLEMENTATIONS, Surroundings
from contract.servers import served


@pytest.fixture(scope="session")
def domains(tmp_path_factory):
    """The domain of a served store, and of a server in front of a client of that one."""
    with (
        served("store", tmp_path_factory.mktemp("served")) as server,
        served("client", server) as relay,
    ):
        yield server, relay


@pytest.fixture(params=IMPLEMENTATIONS)
def place(request, tmp_path, domains):
    """An empty registry, of each implementation in turn."""
    with IMPLEMENTATIONS[request.param].make(Surroundings(tmp_path, *domains)) as opened:
        yield opened


@pytest.fixture
def repository(place):
    return place.repository()


@pytest.fixture(params=IMPLEMENTATIONS)
def other_place(request, tmp_path, domains):
    """A second empty registry, of each implementation in turn."""
    folder = tmp_path / "other"
    folder.mkdir()
    with IMPLEMENTATIONS[request.param].make(Surroundings(folder, *domains)) as opened:
        yield opened


@pytest.fixture
def other(other_place):
    return other_place.repository("elsewhere/golftrack")
