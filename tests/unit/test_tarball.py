"""Tar headers: what is read, and what is refused."""

import io
import tarfile

import pytest

from killick.errors import ContentError, LimitExceeded
from killick.tarball import END, MOST_EXTENSION_BYTES, header, is_header, members, padding


def scan(raw):
    return list(members(lambda offset, count: raw[offset : offset + count]))


def one(name="file", size=0, kind=b"0", **fields):
    """Return the header of one member as tarfile writes it, with some fields changed."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def patched(block, offset, value):
    """Return a header with some bytes changed and the checksum right."""
    changed = bytearray(block)
    changed[offset : offset + len(value)] = value
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def extended(kind, data):
    return patched(header("x", len(data)), 156, kind) + data + padding(len(data))


def record(key, value):
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 2 if len(rest) < 98 else len(rest) + 3
    return b"%d" % length + rest


def test_kinds_of_members():
    raw = b"".join(
        one(name, kind=kind, linkname=link)
        for name, kind, link in [
            ("file", b"0", ""),
            ("old", b"\0", ""),
            ("contiguous", b"7", ""),
            ("folder", b"5", ""),
            ("old folder/", b"\0", ""),
            ("soft", b"2", "file"),
            ("hard", b"1", "file"),
            ("pipe", b"6", ""),
            ("device", b"3", ""),
        ]
    )
    kinds = [(m.name.rstrip("/"), m.kind, m.link) for m in scan(raw + END)]
    assert kinds == [
        ("file", "file", ""),
        ("old", "file", ""),
        ("contiguous", "file", ""),
        ("folder", "directory", ""),
        ("old folder", "directory", ""),
        ("soft", "symlink", "file"),
        ("hard", "hardlink", "file"),
        ("pipe", "other", ""),
        ("device", "other", ""),
    ]


def test_the_end_may_be_missing_or_short():
    raw = header("a", 3) + b"abc" + padding(3)
    for end in (b"", bytes(512), END, END + b"what follows the end"):
        assert [m.name for m in scan(raw + end)] == ["a"]


def test_sizes_beyond_octal():
    size = 9 * 2**33
    assert scan(header("big", size))[0].size == size
    assert tarfile.TarInfo.frombuf(header("big", size), "utf-8", "strict").size == size


def test_old_signed_checksums():
    block = bytearray(header("\u00e9", 0))
    signed = sum(b - 256 if b > 127 else b for b in block[:148] + b" " * 8 + block[156:])
    block[148:156] = b"%06o\0 " % signed
    assert is_header(bytes(block))


def test_a_pax_size_decides():
    raw = extended(b"x", record(b"size", b"3")) + one("a") + b"abc" + padding(3)
    assert [(m.name, m.size) for m in scan(raw)] == [("a", 3)]


def test_an_extension_is_for_the_next_member_only():
    raw = extended(b"x", record(b"path", b"long")) + one("short") + one("next")
    assert [m.name for m in scan(raw)] == ["long", "next"]


def test_global_comments_are_passed_over():
    raw = extended(b"g", record(b"comment", b"of git")) + one("a")
    assert [m.name for m in scan(raw)] == ["a"]


def test_other_records_need_not_be_text():
    raw = extended(b"x", record(b"SCHILY.xattr.x", b"\xff\0\xfe")) + one("a")
    assert [m.name for m in scan(raw)] == ["a"]


BAD = {
    "nothing": b"",
    "a text": b"x" * 600,
    "half a header": header("a", 0)[:300],
    "wrong checksum": header("a", 0)[:-1] + b"\1",
    "no checksum": header("a", 0)[:148] + b" " * 8 + header("a", 0)[156:],
    "garbage after a member": one("a") + b"x" * 512,
    "sparse (GNU)": patched(one("a"), 156, b"S"),
    "sparse (pax)": extended(b"x", record(b"GNU.sparse.major", b"1")) + one("a"),
    "unknown kind": patched(one("a"), 156, b"V"),
    "no name": patched(one("a"), 0, bytes(100)),
    "a name that is no text": patched(one("a"), 0, b"\xff\xfe"),
    "a folder with bytes": one("a", 3, b"5") + bytes(512),
    "a link with bytes": one("a", 3, b"2", linkname="b") + bytes(512),
    "no octal size": patched(one("a"), 124, b"99999999999\0"),
    "a negative size": patched(one("a"), 124, b"\xff" * 12),
    "a huge size": patched(one("a"), 124, b"\x80" + b"\xff" * 11),
    "no pax size": extended(b"x", record(b"size", b"-1")) + one("a"),
    "a long pax size": extended(b"x", record(b"size", b"9" * 30)) + one("a"),
    "one size for all": extended(b"g", record(b"size", b"5")) + one("a"),
    "a pax record without an end": extended(b"x", b"99 path=x\n") + one("a"),
    "a pax record without a length": extended(b"x", b"path=x\n") + one("a"),
    "a pax record of no length": extended(b"x", b"0 path=x\n") + one("a"),
    "a pax name with a NUL": extended(b"x", record(b"path", b"a\0b")) + one("a"),
    "an extension and no member": extended(b"x", record(b"path", b"a")),
    "an extension that is cut off": extended(b"x", record(b"path", b"a"))[:515],
    "too long a name": extended(b"L", b"n" * 5000) + one("a"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_refused(what):
    with pytest.raises(ContentError) as caught:
        scan(BAD[what])
    assert caught.value.side == "file"


def test_an_extension_has_a_limit():
    with pytest.raises(LimitExceeded):
        scan(patched(header("x", MOST_EXTENSION_BYTES + 1), 156, b"x"))


def test_the_number_of_members_has_a_limit():
    block = one("a")
    with pytest.raises(LimitExceeded):
        list(members(lambda offset, count: block, 1000))


def test_empty_tars_of_both_kinds():
    assert scan(END) == []
    assert scan(bytes(10240)) == []


def test_what_tarfile_reads_of_ours():
    raw = header("n" * 150, 3) + b"abc" + padding(3) + END
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        (info,) = archive.getmembers()
    assert (info.name, info.size, info.mtime, info.mode) == ("n" * 150, 3, 0, 0o644)
