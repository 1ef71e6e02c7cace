"""Platforms: normal forms, and which image suits which machine (containerd's order)."""

import pytest

from killick import Platform
from killick.errors import BadPlatform
from killick.platforms import best


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("armv6l", "linux/arm/v6"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("macos/arm64", "darwin/arm64"),
        ("windows/amd64", "windows/amd64"),
        ("linux/s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
        ("myos/mychip", "myos/mychip"),
    ],
)
def test_spellings_have_one_normal_form(text, expected):
    platform = Platform.parse(text)
    assert str(platform) == expected
    assert Platform.parse(expected) == platform


@pytest.mark.parametrize(
    "text", ["foo", "linus", "v8", "", "/", "linux/", "a/b/c/d", "li nux/amd64", "a" * 65, "é/x"]
)
def test_what_is_no_platform(text):
    with pytest.raises(BadPlatform):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "rank"),
    [
        ("linux/amd64", "linux/amd64", 0),
        ("linux/amd64", "linux/amd64/v1", 0),
        ("linux/amd64/v3", "linux/amd64/v2", 1),
        ("linux/amd64/v3", "linux/amd64", 2),
        ("linux/amd64", "linux/amd64/v2", None),
        ("linux/amd64", "linux/386", None),
        ("linux/amd64", "windows/amd64", None),
        ("linux/arm64", "linux/arm64/v8", 0),
        ("linux/arm64/v8", "linux/arm64", 0),
        ("linux/arm64", "linux/arm/v8", 1),
        ("linux/arm64", "linux/arm/v7", 2),
        ("linux/arm64", "linux/arm/v5", 4),
        ("linux/arm64/v9", "linux/arm64/v8", 1),
        ("linux/arm/v7", "linux/arm", 0),
        ("linux/arm", "linux/arm/v6", 1),
        ("linux/arm/v6", "linux/arm/v7", None),
        ("linux/arm/v7", "linux/arm64", None),
        ("linux/arm/v4", "linux/arm/v4", 0),
        ("linux/ppc64le", "linux/ppc64le", 0),
        ("linux/ppc64le/power9", "linux/ppc64le", None),
        ("linux/arm/weird", "linux/arm/weird", 0),
    ],
)
def test_how_well_an_image_suits(wanted, offered, rank):
    wanted, offered = Platform.parse(wanted), Platform.parse(offered)
    assert wanted.rank(offered) == rank
    assert wanted.matches(offered) is (rank is not None)


def test_the_best_of_several_is_chosen_and_the_first_of_equals():
    offered = [Platform.parse(t) for t in ("linux/arm/v5", "linux/arm/v7", "linux/arm/v6")]
    assert str(best(Platform.parse("linux/arm64"), offered)) == "linux/arm/v7"
    assert best(Platform.parse("linux/amd64"), offered) is None
    assert best(Platform.parse("linux/amd64"), []) is None
    twins = [Platform.parse("linux/amd64"), Platform.parse("linux/amd64/v1")]
    assert best(Platform.parse("linux/amd64"), twins) is twins[0]


def test_json_comes_and_goes_the_same():
    value = {
        "architecture": "amd64",
        "os": "windows",
        "os.version": "10.0.17763.1",
        "os.features": ["win32k"],
        "variant": "v2",
    }
    assert Platform.from_json(value).to_json() == value
    bare = {"architecture": "s390x", "os": "linux"}
    assert Platform.from_json(bare).to_json() == bare


def test_json_of_wrong_types_matches_nothing():
    found = Platform.from_json({"os": 1, "architecture": None, "os.features": "x", "variant": []})
    assert found == Platform("", "")
    assert not Platform.parse("linux/amd64").matches(found)


def test_the_version_of_the_system_must_match_where_it_is_wanted():
    offered = Platform("windows", "amd64", os_version="10.0.1")
    assert Platform("windows", "amd64").matches(offered)
    assert Platform("windows", "amd64", os_version="10.0.1").matches(offered)
    assert not Platform("windows", "amd64", os_version="10.0.2").matches(offered)


@pytest.mark.parametrize("text", ["linux", "darwin", "macos", "windows", "freebsd"])
def test_a_system_alone_is_that_on_this_architecture(text):
    host, found = Platform.host(), Platform.parse(text)
    assert found.os == {"macos": "darwin"}.get(text, text)
    assert (found.architecture, found.variant) == (host.architecture, host.variant)


def test_the_host_is_a_linux_machine():
    assert Platform.host().os == "linux"
    assert Platform.host().matches(Platform.host())
