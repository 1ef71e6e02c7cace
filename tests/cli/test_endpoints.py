"""Endpoints as people type them, and the settings."""

from pathlib import Path

import pytest

from killick.cli.endpoints import Endpoint
from killick.cli.serving import is_loopback, parse_address
from killick.cli.settings import Settings
from killick.errors import BadReference, KillickError, Unsupported, UsageError

HEX = "0" * 64


@pytest.mark.parametrize(
    ("text", "scheme", "name", "path", "tag"),
    [
        ("alpine", "registry", "alpine", None, "latest"),
        ("host:5000/a/b:1", "registry", "host:5000/a/b:1", None, "1"),
        ("store:alpine:3", "store", "alpine:3", None, "3"),
        ("oci:dir", "oci", None, "dir", None),
        ("oci:./a/b:1.5", "oci", None, "a/b", "1.5"),
        ("oci-archive:/x/y.tar:v1", "oci-archive", None, "/x/y.tar", "v1"),
        ("oci-archive:y.tar:host:5000/a:1", "oci-archive", "host:5000/a:1", "y.tar", "1"),
        ("docker-archive:y.tar:alpine", "docker-archive", "alpine", "y.tar", "latest"),
        (f"oci:dir@sha256:{HEX}", "oci", None, "dir", None),
        ("oci", "registry", "oci", None, "latest"),
    ],
)
def test_what_people_type(text, scheme, name, path, tag):
    found = Endpoint.parse(text)
    assert found.scheme == scheme
    assert found.path == (Path(path) if path else None)
    assert found.target_tag == tag
    assert (found.reference.familiar if found.reference else None) == name


def test_what_an_image_is_called_in_files():
    labels = {
        text: Endpoint.parse(text).label
        for text in ("oci:dir", "oci:dir:1", f"oci:dir@sha256:{HEX}", "docker-archive:f:alpine")
    }
    assert list(labels.values()) == [
        "",
        "1",
        f"sha256:{HEX}",
        "docker.io/library/alpine:latest",
    ]


def test_a_digest_alone_is_content_of_the_store():
    assert Endpoint.parse(f"store:{HEX}").reference is None
    with pytest.raises(UsageError):
        _ = Endpoint.parse(f"store:{HEX}").name
    with pytest.raises(UsageError):
        _ = Endpoint.parse("store:a").file


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("oci:", UsageError),
        (f"oci-archive:@sha256:{HEX}", UsageError),
        ("docker-daemon:alpine", Unsupported),
        ("store:UPPER", BadReference),
        ("oci:dir:team/UPPER", BadReference),
    ],
)
def test_what_is_no_endpoint(text, error):
    with pytest.raises(error):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5000", ("127.0.0.1", 5000)),
        (":5000", ("0.0.0.0", 5000)),
        ("5000", ("127.0.0.1", 5000)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


def test_who_can_reach_an_address():
    assert [is_loopback(h) for h in ("127.0.0.9", "::1", "localhost")] == [True] * 3
    assert [is_loopback(h) for h in ("0.0.0.0", "::", "example.org")] == [False] * 3


def load(tmp_path, text, **environment):
    (tmp_path / "config.toml").write_text(text)
    return Settings.load({"KILLICK_CONFIG": str(tmp_path / "config.toml"), **environment})


def test_settings(tmp_path):
    text = 'store = "/a"\njobs = 8\nprogress = "plain"\n[registries."h:1"]\nplain_http = true\n'
    found = load(tmp_path, text)
    assert (found.store, found.jobs, found.progress) == (Path("/a"), 8, "plain")
    assert found.registries == {"h:1": {"plain_http": True}}
    assert load(tmp_path, text, KILLICK_STORE="/b").store == Path("/b")
    assert load(tmp_path, "").jobs is None


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "colour = 1",
        "jobs = 0",
        "jobs = true",
        'progress = "loud"',
        "store = 1",
        "registries = 1",
        "[registries.'UPPER/x']",
        "registries.h = 1",
        "[registries.h]\nplain = true",
        "[registries.h]\nplain_http = 'yes'",
    ],
)
def test_wrong_settings(tmp_path, text):
    with pytest.raises(KillickError) as caught:
        load(tmp_path, text)
    assert "config.toml" in caught.value.message
    assert caught.value.exit_status == 2


def test_settings_that_can_not_be_read(tmp_path):
    with pytest.raises(UsageError):
        Settings.load({"KILLICK_CONFIG": str(tmp_path)})
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(UsageError):
        Settings.load({"KILLICK_CONFIG": str(tmp_path / "latin")})
