"""Digests: their grammar, and the checking of bytes against them."""

import hashlib
import io

import pytest

from killick.digest import (
    Digest,
    SizeCheck,
    Verifier,
    VerifyingReader,
    chunks,
    digest_of,
    is_answered_for,
    verify,
)
from killick.errors import BadDigest, DigestMismatch, UnverifiableDigest

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CONTENT = b"test"


@pytest.mark.parametrize(
    "text",
    [
        f"sha256:{HEX}",
        "sha512:" + "a" * 128,
        # from the image-spec
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
        "blake3:0123",
        "a.b_c-d+e:=_-",
    ],
)
def test_what_the_grammar_allows(text):
    assert str(Digest.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256:",
        "sha256",
        HEX,
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        "sha256:" + "g" * 64,
        f"SHA256:{HEX}",
        f"sha512:{HEX}",
        f"sha256 :{HEX}",
        f"sha256:{HEX}\n",
        f"\nsha256:{HEX}",
        f"sha256:{HEX}:x",
        "+a:b",
        "a+:b",
        "a..b:c",
        "a:b/c",
        "a:../b",
        "a:b c",
        "a:é",
        "é:a",
        "a:" + "b" * 600,
    ],
)
def test_what_the_grammar_refuses(text):
    with pytest.raises(BadDigest):
        Digest.parse(text)


def test_a_long_text_is_not_repeated_whole_in_the_error():
    with pytest.raises(BadDigest) as caught:
        Digest.parse("x" * 10_000)
    assert len(caught.value.message) < 200


def test_digests_are_values():
    one, other = Digest.parse(f"sha256:{HEX}"), Digest.of(CONTENT)
    assert one == other
    assert hash(one) == hash(other)
    assert one.short == HEX[:12]
    assert sorted([Digest("sha512", "a"), Digest("sha256", "b")])[0].algorithm == "sha256"
    with pytest.raises(AttributeError):
        one.encoded = "x"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_registered_algorithms_are_computed(algorithm):
    digest = Digest.of(CONTENT, algorithm)
    assert digest.verifiable
    assert digest.encoded == hashlib.new(algorithm, CONTENT).hexdigest()
    verify(CONTENT, digest, len(CONTENT))


def test_other_algorithms_cannot_be_verified():
    digest = Digest.parse("blake3:0123")
    assert not digest.verifiable
    for attempt in (digest.hasher, lambda: Verifier(digest, 4), lambda: verify(b"", digest)):
        with pytest.raises(UnverifiableDigest):
            attempt()
    with pytest.raises(UnverifiableDigest):
        Digest.of(b"", "md5")


def test_right_bytes_pass_in_any_pieces():
    verifier = Verifier(Digest.of(CONTENT), 4)
    for byte in CONTENT:
        verifier.update(bytes([byte]))
    verifier.finish()
    assert verifier.seen == 4


def test_one_byte_too_many_fails_before_it_is_hashed():
    verifier = Verifier(Digest.of(CONTENT), 4)
    verifier.update(CONTENT)
    with pytest.raises(DigestMismatch, match="more arrived"):
        verifier.update(b"!")


@pytest.mark.parametrize(
    ("content", "why"), [(b"tes", "only 3 arrived"), (b"tesT", "hashes to sha256:")]
)
def test_too_few_and_wrong_bytes_fail_at_the_end(content, why):
    verifier = Verifier(Digest.of(CONTENT), 4)
    verifier.update(content)
    with pytest.raises(DigestMismatch, match=why):
        verifier.finish()


def test_the_size_may_be_unknown():
    verify(CONTENT, Digest.of(CONTENT))
    with pytest.raises(DigestMismatch):
        verify(CONTENT * 2, Digest.of(CONTENT))


class OnlyRead:
    """A source that has `read` and no `readinto`, and gives a byte at a time."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def read(self, size=-1):
        return self._content.read(1)


def test_chunks_are_all_of_a_source():
    content = bytes(range(256)) * 10
    assert b"".join(bytes(c) for c in chunks(io.BytesIO(content), 100)) == content
    assert b"".join(bytes(c) for c in chunks(OnlyRead(content), 100)) == content
    assert list(chunks(io.BytesIO(b""))) == []


def test_digest_of_pieces_is_the_digest_of_the_whole():
    assert digest_of([b"te", b"", b"st"]) == (Digest.of(CONTENT), 4)
    assert digest_of([], "sha512") == (Digest.of(b"", "sha512"), 0)


class TestVerifyingReader:
    @pytest.mark.parametrize("size", [0, 1, 1000, 700_000])
    def test_right_content_is_handed_out(self, size):
        content = b"x" * size
        reader = VerifyingReader(io.BytesIO(content), Digest.of(content), size)
        assert reader.readable()
        assert b"".join(iter(lambda: reader.read(300), b"")) == content
        assert reader.read(1) == b""

    def test_an_empty_buffer_gets_nothing(self):
        reader = VerifyingReader(io.BytesIO(CONTENT), Digest.of(CONTENT), 4)
        assert reader.readinto(bytearray()) == 0
        assert reader.read(10) == CONTENT

    @pytest.mark.parametrize("wrong", [b"tesT", b"tes", b"tests", b""])
    @pytest.mark.parametrize("step", [1, 3, 100])
    def test_wrong_content_is_never_handed_out_whole(self, wrong, step):
        reader = VerifyingReader(io.BytesIO(wrong), Digest.of(CONTENT), 4)
        got = b""
        with pytest.raises(DigestMismatch):
            while data := reader.read(step):
                got += data
        assert len(got) < len(CONTENT)

    def test_more_than_nothing_is_noticed_at_once(self):
        with pytest.raises(DigestMismatch):
            VerifyingReader(io.BytesIO(b"x"), Digest.of(b""), 0)

    def test_closing_closes_the_source(self):
        source = io.BytesIO(CONTENT)
        reader = VerifyingReader(source, Digest.of(CONTENT), 4)
        reader.close()
        reader.close()
        assert source.closed


def test_a_stream_that_verifies_answers_for_its_digest_alone():
    digest = Digest.of(b"bytes")
    reader = VerifyingReader(io.BytesIO(b"bytes"), digest, 5)
    assert is_answered_for(reader, digest)
    assert not is_answered_for(reader, Digest.of(b"other"))
    assert not is_answered_for(io.BytesIO(b"bytes"), digest)


def test_a_size_check_counts_without_hashing():
    check = SizeCheck(Digest.of(b"bytes"), 5)
    check.update(b"wrong")
    check.finish()
    with pytest.raises(DigestMismatch, match="more arrived"):
        check.update(b"!")
    short = SizeCheck(Digest.of(b"bytes"), 5)
    with pytest.raises(DigestMismatch, match="only 0 arrived"):
        short.finish()
