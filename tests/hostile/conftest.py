import pytest

from hostile.liar import Liar
from killick.digest import Digest
from killick.manifest import OCI_MANIFEST
from killick.memory import MemoryRegistry
from killick.store import Store
from lying import Reply, Site


@pytest.fixture
def liar():
    return Liar()


@pytest.fixture
def trap():
    """A place where nothing secret may ever arrive."""
    with Site(lambda seen: Reply(200, b"trapped", {"Content-Type": OCI_MANIFEST})) as trap:
        yield trap


@pytest.fixture
def site(liar):
    with Site(liar) as site:
        yield site


@pytest.fixture(params=["memory", "store"])
def target(request, tmp_path):
    """A repository to pull into; in the store, no wrong file may be left under a digest."""
    if request.param == "memory":
        yield MemoryRegistry().repository("target")
        return
    with Store(tmp_path / "store", actor="tester@here") as store:
        yield store.repository("registry.example/target")
    for path in (tmp_path / "store" / "blobs").glob("*/*"):
        if path.is_file():
            algorithm = path.parent.name
            assert str(Digest.of(path.read_bytes(), algorithm)) == f"{algorithm}:{path.name}"
