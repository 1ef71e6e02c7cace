"""Files that are there whole or not at all."""

import errno
import os

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


def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OSError):
            replace_file(path, b"new")
    assert pipe.is_fifo()
    assert folder.is_dir()
    assert sorted(tmp_path.iterdir()) == [folder, pipe]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "below").mkdir()
    link, real = tmp_path / "link", tmp_path / "below" / "real"
    link.symlink_to(real)
    for content in (b"new", b"newer"):
        replace_file(link, content)
        assert link.is_symlink()
        assert real.read_bytes() == content


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
