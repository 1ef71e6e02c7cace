"""Logins in docker's and Podman's files and in credential helpers, on a real file system."""

import base64
import json
import os
import stat
import threading

import pytest

from killick.client.credential import Credential
from killick.client.credentials import Credentials
from killick.errors import ContentError, Denied, StoreError, Unsupported


def auth(user="u", password="p"):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def docker(home):
    folder = home / ".docker"
    folder.mkdir()
    return folder / "config.json"


def load(home, **env):
    return Credentials.load({"HOME": str(home), **env})


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


HELPER = """#!/bin/sh
# Keeps one credential a server, in files.
case "$1" in
  get) read -r server; file="$DIR/$(printf %s "$server" | tr / _)"; echo "$server" >> "$DIR/asked"
       if [ -f "$file" ]; then cat "$file"
       else echo "credentials not found in native keychain"; exit 1; fi;;
  store) cat > "$DIR/stored";;
  erase) read -r server; rm "$DIR/$(printf %s "$server" | tr / _)";;
esac
"""


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A credential helper called `test`, and the folder in which it keeps things."""
    programs, kept = tmp_path / "bin", tmp_path / "kept"
    programs.mkdir()
    kept.mkdir()
    program = programs / "docker-credential-test"
    program.write_text(HELPER.replace("$DIR", str(kept)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return kept


def test_nothing_is_known_without_files(home):
    assert load(home).find("example.org", "a/b") is None


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("example.org", "example.org"),
        ("https://example.org", "example.org"),
        ("https://example.org/v1/", "example.org"),
        ("http://example.org:5000/v2/", "example.org:5000"),
        ("Example.org", "example.org"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_keys_are_spelt_in_many_ways(home, docker, key, domain):
    write(docker, {"auths": {key: {"auth": auth()}}})
    assert load(home).find(domain) == Credential("u", "p")
    assert load(home).find("other.org") is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": auth("a", "b:c")}, Credential("a", "b:c")),
        ({"username": "a", "password": "b"}, Credential("a", "b")),
        (
            {"auth": auth("a", ""), "identitytoken": "t"},
            Credential("a", "", identity_token="t"),
        ),
        ({"registrytoken": "r"}, Credential(registry_token="r")),
        ({}, None),
        ({"auth": ""}, None),
        ({"auth": 5}, None),
        ("text", None),
    ],
)
def test_entries_have_several_forms(home, docker, entry, expected):
    write(docker, {"auths": {"example.org": entry}})
    assert load(home).find("example.org") == expected


def test_the_longest_namespace_counts(home):
    file = write(
        home / "auth.json",
        {
            "auths": {
                "quay.io": {"auth": auth("all")},
                "quay.io/team": {"auth": auth("team")},
                "quay.io/team/app": {"auth": auth("app")},
            }
        },
    )
    known = load(home, REGISTRY_AUTH_FILE=str(file))
    assert known.find("quay.io", "team/app").username == "app"
    assert known.find("quay.io", "team/app/part").username == "app"
    assert known.find("quay.io", "team/apple").username == "team"
    assert known.find("quay.io", "other/app").username == "all"
    assert known.find("quay.io").username == "all"


def test_files_are_read_in_order(home, docker):
    podman = home / ".config" / "containers" / "auth.json"
    write(podman, {"auths": {"a.org": {"auth": auth("podman")}, "b.org": {"auth": auth("podman")}}})
    write(docker, {"auths": {"a.org": {"auth": auth("docker")}}})
    known = load(home)
    assert known.find("a.org").username == "docker"
    assert known.find("b.org").username == "podman"
    session = write(home / "run/containers/auth.json", {"auths": {"b.org": {"auth": auth("run")}}})
    assert load(home, XDG_RUNTIME_DIR=str(home / "run")).find("b.org").username == "run"
    own = write(home / "own.json", {"auths": {"a.org": {"auth": auth("own")}}})
    assert load(home, REGISTRY_AUTH_FILE=str(own)).find("a.org").username == "own"
    moved = write(home / "moved/config.json", {"auths": {"a.org": {"auth": auth("moved")}}})
    assert load(home, DOCKER_CONFIG=str(moved.parent)).find("a.org").username == "moved"
    assert session.exists()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"auths": {}, "auths": {}}', '{"auths": {"example.org": {"auth": "%%"}}}', "\xff"],
)
def test_a_broken_file_is_said_so(home, docker, text):
    docker.write_bytes(text.encode("latin-1"))
    with pytest.raises(ContentError) as caught:
        load(home).find("example.org")
    assert caught.value.side == "file"
    assert str(docker) in str(caught.value)


def test_a_file_that_is_a_folder_is_said_so(home, docker):
    docker.mkdir()
    with pytest.raises(Denied):
        load(home).find("example.org")


def test_a_login_is_kept_for_its_owner_only(home):
    where = load(home).save("example.org", Credential("u", "p"))
    path = home / ".docker" / "config.json"
    assert where == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load(home).find("example.org") == Credential("u", "p")
    assert list(path.parent.iterdir()) == [path]


def test_other_things_in_the_file_survive(home, docker):
    before = (
        '{\n  "zeta": [1, 2.5, {"x": "ö"}],\n  "auths": {\n    "b.org": {\n'
        '      "auth": "'
        + auth()
        + '",\n      "email": "x@y"\n    }\n  },\n  "HttpHeaders": {}\n}\n'
    )
    write(docker, before)
    docker.chmod(0o644)
    load(home).save("a.org", Credential("u", "p"))
    after = docker.read_text()
    assert json.loads(after)["zeta"] == [1, 2.5, {"x": "ö"}]
    assert list(json.loads(after)) == ["zeta", "auths", "HttpHeaders"]
    assert '\n  "zeta"' in after
    assert "ö" in after
    assert after.endswith("}\n")
    assert stat.S_IMODE(docker.stat().st_mode) == 0o600
    load(home).save("b.org", Credential("new", "p"))
    assert json.loads(docker.read_text())["auths"]["b.org"] == {
        "email": "x@y",
        "auth": auth("new"),
    }
    assert load(home).erase("a.org")
    assert list(json.loads(docker.read_text())["auths"]) == ["b.org"]
    assert not load(home).erase("a.org")


def test_a_link_to_the_file_stays_a_link(home, docker):
    real = write(home / "dotfiles.json", "{}")
    docker.symlink_to(real)
    load(home).save("a.org", Credential("u", "p"))
    assert docker.is_symlink()
    assert "a.org" in real.read_text()


def test_docker_hub_has_dockers_key(home):
    load(home).save("docker.io", Credential("u", "p"))
    file = home / ".docker/config.json"
    assert list(json.loads(file.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert load(home).erase("docker.io")


def test_logins_at_the_same_time_are_all_kept(home):
    known = load(home)
    threads = [
        threading.Thread(target=known.save, args=(f"r{i}.org", Credential(f"u{i}", "p")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [load(home).find(f"r{i}.org").username for i in range(8)] == [f"u{i}" for i in range(8)]


def test_a_file_that_cannot_be_written_is_said_so(home):
    (home / ".docker").write_text("")
    with pytest.raises(StoreError):
        load(home).save("a.org", Credential("u", "p"))


def test_a_helper_is_asked_once(home, docker, helper):
    write(docker, {"credsStore": "test"})
    (helper / "a.org").write_text('{"ServerURL": "a.org", "Username": "u", "Secret": "p"}')
    (helper / "b.org").write_text('{"Username": "<token>", "Secret": "t"}')
    known = load(home)
    for _ in range(3):
        assert known.find("a.org", "x/y") == Credential("u", "p")
        assert known.find("b.org", "x/y") == Credential(identity_token="t")
        assert known.find("c.org", "x/y") is None
    assert (helper / "asked").read_text().split() == ["a.org", "b.org", "c.org"]


def test_a_helper_for_one_registry_goes_first(home, docker, helper):
    write(
        docker,
        {
            "auths": {"a.org": {"auth": auth("file")}, "b.org": {"auth": auth("file")}},
            "credHelpers": {"a.org": "test"},
        },
    )
    (helper / "a.org").write_text('{"Username": "helper", "Secret": "p"}')
    known = load(home)
    assert known.find("a.org").username == "helper"
    assert known.find("b.org").username == "file"


def test_docker_hub_has_its_name_at_helpers(home, docker, helper):
    write(docker, {"credsStore": "test"})
    (helper / "https:__index.docker.io_v1_").write_text('{"Username": "u", "Secret": "p"}')
    assert load(home).find("docker.io").username == "u"


def test_a_helper_is_preferred_for_saving(home, docker, helper):
    write(docker, {"credsStore": "test"})
    assert load(home).save("a.org", Credential("u", "secret")) == "docker-credential-test"
    assert json.loads((helper / "stored").read_text()) == {
        "ServerURL": "a.org",
        "Username": "u",
        "Secret": "secret",
    }
    assert json.loads(docker.read_text()) == {"credsStore": "test", "auths": {"a.org": {}}}
    (helper / "a.org").write_text('{"Username": "u", "Secret": "p"}')
    assert load(home).erase("a.org")
    assert not (helper / "a.org").exists()
    assert json.loads(docker.read_text())["auths"] == {}


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "a b", "", "x;y", "-rf"])
def test_a_helper_that_cannot_be_run_is_said_so(home, docker, name):
    write(docker, {"credHelpers": {"a.org": name}})
    if not name:
        assert load(home).find("a.org") is None
        return
    with pytest.raises(Unsupported):
        load(home).find("a.org")


@pytest.mark.parametrize(
    ("answer", "error"),
    [("nonsense", ContentError), ("{}", ContentError), ('{"Username": 1}', ContentError)],
)
def test_a_helper_that_talks_nonsense_is_said_so(home, docker, helper, answer, error):
    write(docker, {"credsStore": "test"})
    (helper / "a.org").write_text(answer)
    with pytest.raises(error):
        load(home).find("a.org")


def test_a_helper_that_fails_is_said_so(home, docker, tmp_path, monkeypatch):
    program = tmp_path / "docker-credential-broken"
    program.write_text("#!/bin/sh\necho the secret is xyz >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    write(docker, {"credsStore": "broken"})
    with pytest.raises(Denied) as caught:
        load(home).find("a.org")
    assert "xyz" not in f"{caught.value}{caught.value.hint}"
