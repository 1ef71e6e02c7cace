"""The tar reader: finds what tarfile wrote, and refuses everything else as bad content."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from killick.compression import decompressed
from killick.errors import ContentError
from killick.tarball import END, header, members, padding

names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/", exclude_categories=["Cs"]),
    min_size=1,
    max_size=160,
).filter(lambda n: n not in (".", ".."))


def scan(raw):
    return list(members(lambda offset, count: raw[offset : offset + count]))


@given(
    st.lists(st.tuples(names, st.binary(max_size=1200)), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_what_tarfile_writes_is_found(files, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    raw = out.getvalue()
    found = [(m.name, raw[m.offset : m.offset + m.size]) for m in scan(raw)]
    assert found == files


@given(st.lists(st.tuples(names, st.binary(max_size=1200)), max_size=5))
def test_tarfile_finds_what_we_write(files):
    raw = b"".join(header(n, len(c)) + c + padding(len(c)) for n, c in files) + END
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        found = [(m.name, archive.extractfile(m).read()) for m in archive]
    assert found == [(n.rstrip("/"), c) for n, c in files]
    assert [(m.name, m.size) for m in scan(raw)] == [(n, len(c)) for n, c in files]


@given(st.data())
def test_a_damaged_tar_is_read_or_refused(data):
    raw = bytearray(header("a" * 120, 700) + bytes(700) + padding(700) + header("b", 3) + b"abc")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        # make the checksum of the first header right again, so that its fields are looked at
        fixed = bytearray(raw[:512])
        fixed[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(fixed)
    try:
        found = scan(bytes(raw))
    except ContentError as error:
        assert error.side == "file"
    else:
        assert all(m.size >= 0 and m.offset > 0 and m.name for m in found)


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_tar_or_are_refused(raw):
    try:
        scan(raw)
    except ContentError as error:
        assert error.side == "file"


@given(
    st.sampled_from([b"", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"]),
    st.binary(max_size=300),
)
def test_any_bytes_are_unpacked_or_refused(magic, rest):
    stream = decompressed(io.BytesIO(magic + rest), 100_000)
    try:
        while stream.read(4096):
            pass
    except ContentError as error:
        assert error.side == "file"
