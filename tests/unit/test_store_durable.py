"""Durable writes: what fails is said, and is never taken for written."""

import errno
import os
import stat

import pytest

from killick.errors import StoreError, StoreFull, StoreReadOnly
from killick.store import durable


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EFBIG, StoreFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.EIO, StoreError),
    ],
)
def test_what_the_system_says_becomes_our_error(tmp_path, number, kind):
    error = durable.translate(OSError(number, os.strerror(number)), tmp_path / "file")
    assert type(error) is kind
    assert str(tmp_path) in error.message
    assert error.side == "local"


def test_a_file_that_can_not_be_synced_is_given_up(tmp_path):
    """A pipe can't be synced; the file whose name it goes by is removed, and no second try made."""
    path = tmp_path / "file"
    path.write_bytes(b"perhaps not on disk")
    ends = os.pipe()
    try:
        with pytest.raises(StoreError):
            durable.sync(ends[1], path)
    finally:
        for end in ends:
            os.close(end)
    assert not path.exists()


def test_publishing_replaces_at_once(tmp_path):
    new, descriptor = durable.create(tmp_path)
    durable.write(descriptor, b"new", new)
    durable.sync(descriptor, new)
    os.close(descriptor)
    (tmp_path / "name").write_bytes(b"old")
    durable.publish([(new, tmp_path / "name")])
    assert (tmp_path / "name").read_bytes() == b"new"
    assert not new.exists()
    with pytest.raises(StoreError):
        durable.publish([(new, tmp_path / "name")])


def test_directories_are_for_their_owner(tmp_path):
    durable.make_directory(tmp_path / "a" / "b")
    durable.make_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_reserve_is_made_once_and_never_in_the_way(tmp_path):
    durable.reserve(tmp_path / "reserve", 1000)
    durable.reserve(tmp_path / "reserve", 2000)
    assert (tmp_path / "reserve").stat().st_size == 1000
    durable.reserve(tmp_path / "missing" / "reserve", 1000)
    durable.remove(tmp_path / "reserve")
    durable.remove(tmp_path / "reserve")
    assert list(tmp_path.iterdir()) == []
