"""Scrubbing: all of it is read once a round, damage is named, and a round goes on anywhere."""

import pytest

from images import image
from killick.names import Tag
from killick.store import Store
from stores import NAME, damage, file_of, files, put


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


def test_a_round_reads_everything_once_and_goes_on_anywhere(store, repository):
    ds = sorted(str(put(repository, bytes([n]) * 1000).digest) for n in range(250))
    assert [str(looked.digest) for looked in store.scrub()] == ds
    with Store(store.root) as later:
        assert [str(looked.digest) for looked in later.scrub(ds[100])] == ds[101:]


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_is_named_with_the_images_that_need_it(store, repository, how):
    def found():
        return [looked for looked in store.scrub() if looked.problem]

    root = image(repository, {"v": b"1"})
    repository.tag(Tag("1.5"), root)
    path = file_of(store, root)
    if how == "flipped":
        damage(store, root)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    (looked,) = found()
    assert looked.digest == root.digest
    assert looked.images == (f"{NAME}:1.5",)
    assert looked.problem == ("its file is missing" if how == "gone" else "its bytes are wrong")
    assert not repository.has(root)
    assert bool(files(store.root / "quarantine")) == (how != "gone")
    # It is named in each round, until somebody brings it again.
    (again,) = found()
    assert again.problem == "was found damaged or missing before"
    image(repository, {"v": b"1"})
    assert found() == []
