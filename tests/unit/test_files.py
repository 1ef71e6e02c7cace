"""Files that are there whole or not at all."""

import errno

import pytest

from killick.errors import StoreError, StoreFull, StoreReadOnly
from killick.files import failure, make_dirs, replace_file, replacing, translating


def test_a_file_takes_the_place_of_another(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_until_the_end_the_old_file_is_there(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_what_fails_leaves_nothing_behind(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_may_wait_in_another_folder(tmp_path):
    make_dirs(tmp_path / "deep/er")
    with replacing(tmp_path / "deep/er/file", tmp_path) as file:
        assert len([p for p in tmp_path.iterdir() if p.is_file()]) == 1
        file.write(b"x")
    assert (tmp_path / "deep/er/file").read_bytes() == b"x"


def test_folders_that_exist_are_left_alone(tmp_path):
    make_dirs(tmp_path / "a/b")
    make_dirs(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.EIO, StoreError),
    ],
)
def test_errors_of_the_system_say_what_was_being_done(number, expected):
    with (
        pytest.raises(expected, match="can't write the file") as caught,
        translating("write the file"),
    ):
        raise OSError(number, "the reason")
    assert type(caught.value) is expected
    assert caught.value.side == "file"
    assert "the reason" in caught.value.message


def test_an_error_without_a_number_is_told_by_its_text():
    assert "odd" in failure(OSError("odd"), "read it").message
