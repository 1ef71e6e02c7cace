"""References: docker's grammar and defaults (tables after github.com/distribution/reference)."""

from datetime import UTC, datetime, timedelta

import pytest

from killick import Digest, Name, Reference, Tag
from killick.errors import BadReference
from killick.names import is_domain, is_path

A256 = "sha256:" + "f" * 64
A512 = "sha512:" + "f" * 128
HEX = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a"

# what is written, domain, path, familiar name
NAMES = [
    ("ubuntu", "docker.io", "library/ubuntu", "ubuntu"),
    ("library/ubuntu", "docker.io", "library/ubuntu", "ubuntu"),
    ("docker.io/ubuntu", "docker.io", "library/ubuntu", "ubuntu"),
    ("index.docker.io/ubuntu", "docker.io", "library/ubuntu", "ubuntu"),
    ("index.docker.io/library/ubuntu", "docker.io", "library/ubuntu", "ubuntu"),
    ("ubuntu-12.04-base", "docker.io", "library/ubuntu-12.04-base", "ubuntu-12.04-base"),
    ("fooo/bar", "docker.io", "fooo/bar", "fooo/bar"),
    ("docker.io/fooo/bar", "docker.io", "fooo/bar", "fooo/bar"),
    ("nonlibrary/ubuntu", "docker.io", "nonlibrary/ubuntu", "nonlibrary/ubuntu"),
    ("other/library", "docker.io", "other/library", "other/library"),
    ("library/foo/bar", "docker.io", "library/foo/bar", "library/foo/bar"),
    ("store/foo/bar", "docker.io", "store/foo/bar", "store/foo/bar"),
    ("example.com/privatebase", "example.com", "privatebase", "example.com/privatebase"),
    ("example.com:8000/a/b", "example.com:8000", "a/b", "example.com:8000/a/b"),
    ("127.0.0.1:8000/a/b", "127.0.0.1:8000", "a/b", "127.0.0.1:8000/a/b"),
    ("localhost/a", "localhost", "a", "localhost/a"),
    ("localhost:5000/a", "localhost:5000", "a", "localhost:5000/a"),
    ("test:5000/repo", "test:5000", "repo", "test:5000/repo"),
    ("Docker/docker", "Docker", "docker", "Docker/docker"),
    ("DOCKER/docker", "DOCKER", "docker", "DOCKER/docker"),
    ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", "[2001:db8::1]/repo"),
    ("[2001:db8::1]:5000/repo", "[2001:db8::1]:5000", "repo", "[2001:db8::1]:5000/repo"),
    ("[::1]:5000/repo", "[::1]:5000", "repo", "[::1]:5000/repo"),
    ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", None),
    ("xn--n3h.com/myimage", "xn--n3h.com", "myimage", None),
    ("docker/docker", "docker.io", "docker/docker", None),
    ("test_com", "docker.io", "library/test_com", "test_com"),
    ("192.168.1.1", "docker.io", "library/192.168.1.1", "192.168.1.1"),
    ("192.168.1.1/repo", "192.168.1.1", "repo", None),
    ("d/docker", "docker.io", "d/docker", None),
    ("dock__er/docker", "docker.io", "dock__er/docker", None),
    ("docker---rules/docker", "docker.io", "docker---rules/docker", None),
    (f"docker.io/{HEX}", "docker.io", f"library/{HEX}", None),
    ("a" * 65, "docker.io", "library/" + "a" * 65, None),
]

WITH_MORE = [
    # what is written, canonical, familiar
    ("alpine", "docker.io/library/alpine:latest", "alpine"),
    ("alpine:latest", "docker.io/library/alpine:latest", "alpine:latest"),
    ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
    (f"alpine@{A256}", f"docker.io/library/alpine@{A256}", f"alpine@{A256}"),
    (f"alpine:3@{A256}", f"docker.io/library/alpine:3@{A256}", f"alpine:3@{A256}"),
    (f"a.b/c:D@{A512}", f"a.b/c:D@{A512}", f"a.b/c:D@{A512}"),
    ("test.com:tag", "docker.io/library/test.com:tag", "test.com:tag"),
    ("test.com:5000", "docker.io/library/test.com:5000", "test.com:5000"),
    ("foo_bar.com:8080", "docker.io/library/foo_bar.com:8080", "foo_bar.com:8080"),
    ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080", "foo/foo_bar.com:8080"),
    ("lowercase:Uppercase", "docker.io/library/lowercase:Uppercase", "lowercase:Uppercase"),
    ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000/repo:5050", "192.168.1.1:5000/repo:5050"),
    (f"[::1]:5000/r:t@{A256}", f"[::1]:5000/r:t@{A256}", f"[::1]:5000/r:t@{A256}"),
    ("b.gcr.io/test.example.com/my-app:test.example.com",) + (None,) * 2,
    ("golftrack:1.5~1", "docker.io/library/golftrack:1.5~1", "golftrack:1.5~1"),
    ("golftrack~", "docker.io/library/golftrack:latest~1", "golftrack~1"),
    ("golftrack~0", "docker.io/library/golftrack:latest~0", "golftrack~0"),
    ("golftrack:1.5@{yesterday}",) + (None,) * 2,
    ("golftrack:1.5@{2026-11-01T14:30:00Z}",) + (None,) * 2,
    ("golftrack:1.5@{2 hours ago}",) + (None,) * 2,
]

BAD = [
    "",
    " ",
    "/",
    ":justtag",
    f"@{A256}",
    f"repo@{A256[:41]}",
    f"repo@{A256}0",
    "repo@sha256:" + "F" * 64,
    f"validname@invaliddigest:{'f' * 31}",
    "repo@",
    "repo:",
    "repo:tag@",
    "repo:a:b",
    f"repo@{A256}:tag",
    f"repo@{A256}@{A256}",
    "Uppercase:tag",
    "test:5000/Uppercase/lowercase:tag",
    "docker/Docker",
    "docker.io/docker/Docker",
    "a/" * 128 + "a:tag",
    "aa/asdf$$^/aa",
    "https://github.com/docker/docker",
    "http://localhost/a",
    "-docker",
    "-docker/docker",
    "-docker.io/docker/docker",
    "docker///docker",
    "docker.io/docker///docker",
    "docker/docker/",
    "/docker/docker",
    "docker-/docker",
    "_docker/_docker",
    "____/____",
    "dock..er/docker",
    "dock_.er/docker",
    "dock-.er/docker",
    "dock___er/docker",
    "docker/docker-",
    " docker/docker",
    "docker/docker ",
    "docker\n",
    "docker/docker\n",
    "docker:tag\n",
    "[fc00::1]",
    "[fc00::1]:5000",
    "[2001:db8::1]:tag",
    "fc00::1:5000/debian",
    "[fe80::1%eth0]:5000/debian",
    "[fe80::1%@invalidzone]:5000/debian",
    "[2001:db8:3:4::192.0.2.33]:5000/debian",
    "a.b:port/c",
    "a..b/c",
    "a.b-/c",
    HEX,
    "docker.io/",
    "example.com/",
    "é",
    "repo:é",
    "repo:" + "t" * 129,
    "repo:-t",
    "repo:.t",
    "repo\0",
    f"repo@{A256}~1",
    f"repo@{A256}@{{yesterday}}",
    "repo@{whenever}",
    "repo@{}",
    "repo~x",
    "repo~1~2",
    "repo~1234567890",
    "repo~1@{yesterday}",
    "repo@{yesterday}~1",
    "~1",
    "@{yesterday}",
    "a" * 100_000,
    "a/" * 50_000,
]


@pytest.mark.parametrize(("text", "domain", "path", "familiar"), NAMES)
def test_names_get_dockers_defaults(text, domain, path, familiar):
    name = Name.parse(text)
    assert (name.domain, name.path) == (domain, path)
    assert str(name) == f"{domain}/{path}"
    if familiar is not None:
        assert name.familiar == familiar
    assert Name.parse(name.familiar) == name


@pytest.mark.parametrize(("text", "canonical", "familiar"), WITH_MORE)
def test_references_keep_all_that_was_written(text, canonical, familiar):
    found = Reference.parse(text)
    if canonical is not None:
        assert found.canonical == canonical
        assert found.familiar == str(found) == familiar
    assert Reference.parse(found.canonical).canonical == found.canonical
    assert Reference.parse(found.familiar) == found


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text[:40]))
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(BadReference) as caught:
        Reference.parse(text)
    assert isinstance(caught.value, ValueError)
    assert len(caught.value.message) < 600


def test_the_path_may_have_255_characters():
    path = "a/" * 127 + "a"
    assert len(path) == 255
    assert Reference.parse(f"example.com/{path}:tag-beyond-this").name.path == path
    with pytest.raises(BadReference):
        Reference.parse(f"example.com/{path}a")


def test_library_counts_as_part_of_the_path():
    assert Reference.parse("a" * 247).name.path == "library/" + "a" * 247
    with pytest.raises(BadReference):
        Reference.parse("a" * 248)


def test_a_name_that_looks_like_a_domain_keeps_its_own():
    name = Name.parse("docker.io/my.host/x")
    assert name.path == "my.host/x"
    assert name.familiar == "docker.io/my.host/x"


def test_upper_case_is_refused_with_advice():
    with pytest.raises(BadReference) as caught:
        Reference.parse("Alpine")
    assert "alpine" in caught.value.hint


def test_parts_of_a_reference():
    found = Reference.parse(f"example.com:5000/team/app:1.5@{A256}")
    assert found.name == Name("example.com:5000", "team/app")
    assert found.tag == "1.5"
    assert found.digest == Digest.parse(A256)
    assert found.effective_tag == "1.5"
    assert not (found.is_bare or found.travels)


def test_the_effective_tag():
    assert Reference.parse("a").effective_tag == "latest"
    assert Reference.parse(f"a@{A256}").effective_tag is None
    assert Reference.parse("a").is_bare


def test_travel_back_and_to_a_moment():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    back = Reference.parse("a:1~3")
    assert (back.back, back.moment, back.travels, back.at(now)) == (3, None, True, None)
    then = Reference.parse("a:1@{2 hours ago}")
    assert (then.back, then.travels) == (None, True)
    assert then.at(now) == now - timedelta(hours=2)


def test_pinning_ends_time_travel():
    pinned = Reference.parse("a:1~3").with_digest(Digest.parse(A256))
    assert str(pinned) == f"a:1@{A256}"


def test_a_repository_name_has_nothing_behind_it():
    for text in ("a:1", f"a@{A256}", "a~1", "a@{yesterday}"):
        with pytest.raises(BadReference):
            Name.parse(text)


@pytest.mark.parametrize("text", ["a", "_", "A.b-c_d", "0" * 128, "latest"])
def test_tags(text):
    assert Tag(text) == text


@pytest.mark.parametrize("text", ["", ".a", "-a", "a/b", "a b", "a\n", "é", "0" * 129, "a:b"])
def test_what_is_no_tag(text):
    with pytest.raises(BadReference):
        Tag(text)


def test_paths_and_domains_alone():
    assert is_path("team/app")
    assert not is_path("Team/app")
    assert not is_path("a" * 256)
    assert not is_path("../a")
    assert is_domain("localhost:5000")
    assert not is_domain("local host")


@pytest.mark.parametrize("suffix", ["", "~1", ":t", ":t~2", "@{yesterday}", f"@sha256:{'b' * 64}"])
def test_a_name_of_64_digits_has_a_familiar_form_that_can_be_read(suffix):
    reference = Reference.parse(f"docker.io/library/{'a' * 64}{suffix}")
    assert Reference.parse(reference.familiar) == reference
