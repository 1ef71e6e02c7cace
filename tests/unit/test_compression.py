"""Compressed streams: recognised, unpacked within limits, and refused where damaged."""

import bz2
import gzip
import io
import lzma

import pytest

from killick.compression import compression_of, decompressed, zstd
from killick.errors import ContentError, LimitExceeded

CONTENT = bytes(range(256)) * 2000
PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
packers = pytest.mark.parametrize("name", PACKERS)


def unpack(data, most=10**7, step=65536):
    stream = decompressed(io.BytesIO(data), most)
    assert stream.readable()
    return b"".join(iter(lambda: stream.read(step), b""))


@packers
@pytest.mark.parametrize("step", [7919, 65536, 10**6])
def test_what_was_packed_comes_out(name, step):
    packed = PACKERS[name](CONTENT)
    assert compression_of(packed) == name
    assert unpack(packed, step=step) == CONTENT


@pytest.mark.parametrize("data", [b"", b"x", b"plain" * 1000, b"\x1f", b"BZ"])
def test_what_is_not_packed_stays(data):
    assert compression_of(data) is None
    assert unpack(data, step=3) == data


@packers
def test_several_streams_are_one(name):
    pack = PACKERS[name]
    assert unpack(pack(b"one ") + pack(b"") + pack(b"two")) == b"one two"
    assert unpack(pack(b"one ") + bytes(1000) + pack(b"two") + bytes(300_000)) == b"one two"


@packers
def test_damage_is_refused(name):
    packed = PACKERS[name](CONTENT)
    flipped = bytearray(packed)
    flipped[len(flipped) // 2] ^= 0xFF
    cases = [packed[:-1], packed[:8], packed + b"more"]
    if name != "zstd":  # which has a checksum only if it is asked for
        cases.append(bytes(flipped))
    for damaged in cases:
        with pytest.raises(ContentError) as caught:
            unpack(damaged)
        assert caught.value.side == "file"


@packers
def test_a_bomb_is_stopped(name):
    bomb = PACKERS[name](bytes(50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(LimitExceeded):
        unpack(bomb, most=1_000_000)


@packers
def test_the_limit_itself_is_allowed(name):
    assert unpack(PACKERS[name](CONTENT), most=len(CONTENT)) == CONTENT
    with pytest.raises(LimitExceeded):
        unpack(PACKERS[name](CONTENT), most=len(CONTENT) - 1)


def test_plain_files_are_limited_too():
    with pytest.raises(LimitExceeded):
        unpack(b"x" * 100, most=99)


def test_xz_may_not_ask_for_all_memory():
    big = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**30}])
    with pytest.raises(ContentError):
        unpack(big)


@packers
def test_an_empty_buffer_gets_nothing(name):
    stream = decompressed(io.BytesIO(PACKERS[name](b"x")), 10)
    assert stream.readinto(bytearray()) == 0
    assert stream.read(5) == b"x"
