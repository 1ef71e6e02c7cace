"""Tar headers, read with suspicion and written always alike.

The standard library's tarfile trusts too much for archives from outside: it follows extension
headers of any size and keeps names that leave the archive. This reads what is needed to find the
members of a tar (POSIX ustar and pax, GNU long names, old V7) and refuses the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from killick.errors import ContentError, LimitExceeded

BLOCK = 512
END = bytes(2 * BLOCK)
MOST_MEMBERS = 500_000
MOST_EXTENSION_BYTES = 1024 * 1024
MOST_NAME_CHARACTERS = 4096

Kind = Literal["file", "directory", "symlink", "hardlink", "other"]
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "other",
    b"4": "other",
    b"5": "directory",
    b"6": "other",
}
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([0-9]{1,9}) ([^=\n]+)=")

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, count)` returns up to `count` bytes from `offset` on."""


@dataclass(frozen=True, slots=True)
class Member:
    """Something in a tar: its name as written there, and where its bytes begin and how many."""

    name: str
    kind: Kind
    offset: int
    size: int
    link: str = ""


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a member of a tar: their checksum says so."""
    if len(block) != BLOCK or not any(block):
        return False
    stated = _OCTAL.fullmatch(block[148:156])
    if stated is None or not stated[1]:
        return False
    checksum = int(stated[1], 8)
    rest = block[:148] + b" " * 8 + block[156:]
    # Some old tars took bytes for signed numbers.
    total = sum(rest)
    return checksum == total or checksum == total - 256 * sum(byte > 127 for byte in rest)


def members(read_at: ReadAt, most: int = MOST_MEMBERS) -> Iterator[Member]:
    """Yield the members of a tar, up to `most`, in their order, reading nothing but headers.

    Raises:
        ContentError: it is no tar, is cut off, or has sparse files or contradictions.
        LimitExceeded: too many members, or too long a name or extension header.
    """
    position, count = 0, 0
    extension: dict[str, str] = {}
    while any(block := read_at(position, BLOCK)):
        if not is_header(block):
            what = "is damaged" if position else "is not a tar"
            raise ContentError(f"the archive {what} at byte {position}", side="file")
        count += 1
        if count > most:
            raise LimitExceeded(f"the archive has more than {most} members", side="file")
        kind = block[156:157]
        offset = position + BLOCK
        size = _size(block, extension if kind in _KINDS else {})
        position = offset + -(-size // BLOCK) * BLOCK
        if kind in (b"x", b"g", b"L", b"K"):
            extension |= _extension(kind, _extension_data(read_at, offset, size))
            continue
        yield _member(block, kind, extension, offset, size)
        extension = {}
    if extension:
        raise ContentError("the archive ends within a member", side="file")
    if not block and not position:
        raise ContentError("the archive is empty", side="file")


def header(name: str, size: int) -> bytes:
    """Return the header of a file of `size` bytes, the same for the same name and size."""
    encoded = name.encode()
    if len(encoded) <= 100:
        return _block(encoded, size, b"0")
    record = _record(b"path", encoded)
    long_name = _block(b"PaxHeader", len(record), b"x") + record + padding(len(record))
    return long_name + _block(encoded[:100], size, b"0")


def _record(key: bytes, value: bytes) -> bytes:
    """Return a pax record, whose length counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + 1
    while length != len(b"%d" % length) + len(rest):
        length += 1
    return b"%d" % length + rest


def _block(name: bytes, size: int, kind: bytes) -> bytes:
    octal = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    start = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + octal + b"0" * 11 + b"\0"
    rest = kind.ljust(101, b"\0") + b"ustar\x0000".ljust(72, b"\0") + b"0000000\0" * 2
    rest = rest.ljust(BLOCK - 156, b"\0")
    checksum = sum(start) + 8 * ord(" ") + sum(rest)
    return start + b"%06o\0 " % checksum + rest


def padding(size: int) -> bytes:
    """Return the zeros that follow the bytes of a member of `size` bytes."""
    return bytes(-size % BLOCK)


def _member(block: bytes, kind: bytes, extension: dict[str, str], offset: int, size: int) -> Member:
    name = extension.get("path") or _name(block)
    found = _KINDS.get(kind)
    if found is None:
        raise ContentError(f"the archive has a member of unknown kind {kind!r}", side="file")
    if found == "file" and name.endswith("/"):
        found = "directory"
    if found != "file" and size:
        raise ContentError(f"{name[:200]!r} in the archive is no file, but has bytes", side="file")
    if not name or len(name) > MOST_NAME_CHARACTERS or "\0" in name:
        raise ContentError("the archive has a member without a usable name", side="file")
    link = extension.get("linkpath") or _text(block[157:257])
    return Member(name, found, offset, size, link if found in ("symlink", "hardlink") else "")


def _name(block: bytes) -> str:
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        return f"{prefix}/{name}"
    return name


def _text(field: bytes) -> str:
    try:
        return field.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise ContentError("the archive has a name that is not UTF-8", side="file") from None


def _size(block: bytes, extension: dict[str, str]) -> int:
    stated = extension.get("size")
    if stated is not None:
        if not re.fullmatch(r"[0-9]{1,18}", stated):
            raise ContentError("the archive has a member of no valid size", side="file")
        return int(stated)
    field = block[124:136]
    if field[0] == 0x80:
        return int.from_bytes(field[4:], "big") if not any(field[1:4]) else _bad_size()
    match = _OCTAL.fullmatch(field)
    return int(match[1] or b"0", 8) if match else _bad_size()


def _bad_size() -> int:
    raise ContentError("the archive has a member of no valid size", side="file")


def _extension_data(read_at: ReadAt, offset: int, size: int) -> bytes:
    if size > MOST_EXTENSION_BYTES:
        raise LimitExceeded("the archive has an extension header of over 1 MiB", side="file")
    data = read_at(offset, size)
    if len(data) != size:
        raise ContentError("the archive ends within a header", side="file")
    return data


def _extension(kind: bytes, data: bytes) -> dict[str, str]:
    if kind in (b"L", b"K"):
        return {"path" if kind == b"L" else "linkpath": _text(data)}
    records = dict(_records(data))
    if any(key.startswith("GNU.sparse.") for key in records):
        raise ContentError("the archive has sparse files, which are not read", side="file")
    wanted = {k: v for k, v in records.items() if k in ("path", "linkpath", "size")}
    if kind == b"g" and wanted:
        raise ContentError("the archive gives one name or size to all its members", side="file")
    return wanted


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the records of a pax header, `<length> <key>=<value>`; the length is of all of it."""
    position = 0
    while position < len(data):
        match = _RECORD.match(data, position)
        end = position + int(match[1]) if match else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise ContentError("the archive has a damaged extension header", side="file")
        key, value = match[2], data[match.end() : end - 1]
        if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse."):
            if b"\0" in value:
                raise ContentError("the archive has a NUL in a name", side="file")
            yield _text(key), _text(value)
        position = end
