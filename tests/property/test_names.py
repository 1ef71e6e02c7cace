"""References: whatever is accepted has one meaning, in every form; whatever is not, one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killick.digest import Digest
from killick.errors import BadDigest, BadPlatform, BadReference
from killick.names import Name, Reference, Tag, is_domain, is_path
from killick.platforms import Platform
from property import grammars


@given(grammars.references())
def test_every_form_means_the_same(text):
    try:
        found = Reference.parse(text)
    except BadReference:
        # the one thing that the grammar alone does not tell: 64 hexadecimal digits, upper case in
        # a first part without a dot, and so on, are refused, never misread
        return
    assert Reference.parse(found.familiar) == found
    full = Reference.parse(found.canonical)
    assert full.canonical == found.canonical
    assert (full.name, full.digest, full.back) == (found.name, found.digest, found.back)
    assert full.effective_tag == found.effective_tag
    assert Name.parse(str(found.name)) == found.name
    assert Name.parse(found.name.familiar) == found.name
    assert is_path(found.name.path)
    assert is_domain(found.name.domain)


@given(grammars.domain, grammars.path, grammars.tag, grammars.digest)
def test_all_parts_are_kept(domain, path, tag, digest):
    found = Reference.parse(f"{domain}/{path}:{tag}@{digest}")
    assert (found.name.path, found.tag, str(found.digest)) == (path, tag, digest)
    assert found.name.domain == domain


@given(st.text(max_size=60) | st.text("aA0./:@~{}-_[] \n", max_size=40))
def test_any_text_is_a_reference_or_is_refused(text):
    try:
        found = Reference.parse(text)
    except BadReference as error:
        assert isinstance(error, ValueError)
    else:
        assert Reference.parse(str(found)) == found


@given(st.text(max_size=140))
def test_any_text_is_a_tag_or_is_refused(text):
    try:
        assert Tag(text) == text
    except BadReference:
        pass
    else:
        assert len(text) <= 128
        assert text.isascii()


@given(st.text(max_size=80) | st.text("ash256:0f+._-=", max_size=90))
def test_any_text_is_a_digest_or_is_refused(text):
    try:
        found = Digest.parse(text)
    except BadDigest:
        return
    assert str(found) == text
    assert "/" not in text
    assert found.encoded not in (".", "..")
    assert found.algorithm not in (".", "..")


@given(st.binary(max_size=300), st.sampled_from(["sha256", "sha512"]))
def test_the_digest_of_some_bytes_is_one(content, algorithm):
    digest = Digest.of(content, algorithm)
    assert Digest.parse(str(digest)) == digest


@given(st.text(max_size=30) | st.text("linuxarmd64v8/", max_size=20))
def test_any_text_is_a_platform_or_is_refused(text):
    try:
        found = Platform.parse(text)
    except BadPlatform:
        return
    assert Platform.parse(str(found)) == found
    assert found.matches(found)


@given(grammars.json_values)
def test_any_platform_object_is_read(value):
    if isinstance(value, dict):
        Platform.from_json(value).to_json()


@pytest.mark.parametrize("count", [10, 1000, 100_000])
def test_long_texts_are_refused_quickly(count):
    for piece in ("a", "a/", "a.", "a-", "_", "a:", "@", "~1", "A", "[", "@{"):
        with pytest.raises(BadReference):
            Reference.parse(piece * count * 30)
