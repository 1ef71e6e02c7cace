"""A password that must be nowhere: not in what is printed, not in what is kept."""

import base64
import json

import pytest

import images
from cli_runner import run
from guarded import Guarded
from killick.names import Tag
from killick.platforms import Platform
from lying import HANG_UP, Reply, Site, refused

SECRET = "canary-Zq7-s3cret"
BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KILLICK_CONFIG", str(tmp_path / "none"))
    (tmp_path / "docker").mkdir()
    return tmp_path


@pytest.fixture
def site(home):
    """A registry that lets `me` in, with one image."""
    registry = Guarded("Basic " + BASIC)
    d = images.image(registry.repository(), {"app": b"x"}, Platform.host())
    registry.repository().tag(Tag("1"), d)
    with Site(registry) as opened:
        auths = {"auths": {opened.domain: {"auth": BASIC}}}
        (home / "docker" / "config.json").write_text(json.dumps(auths))
        yield opened


WRONG = {
    "none": None,
    "denied": lambda seen: refused(403, "DENIED", f"not with {SECRET}"),
    "refused": lambda seen: refused(401, **{"WWW-Authenticate": 'Basic realm="x"'}),
    "hanging up": lambda seen: HANG_UP,
    "echo": lambda seen: Reply(500, json.dumps(seen.headers).encode()),
    "redirect": lambda seen: Reply(307, b"", {"Location": f"http://me:{SECRET}@127.0.0.1/x"}),
    "page": lambda seen: Reply(200, f"<html>{BASIC}".encode(), {"Content-Type": "text/html"}),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("verb", ["pull", "digest", "manifest", "push", "tags", "login"])
def test_a_password_is_neither_printed_nor_kept(site, home, wrong, verb, monkeypatch):
    if verb == "push":
        run("pull", f"{site.domain}/a/b:1")
    if WRONG[wrong]:
        site.answer = WRONG[wrong]
    monkeypatch.setattr("killick.client.retry.MOST_WAIT", 0.01)
    words = {
        "tags": ("tags", f"{site.domain}/a/b"),
        "login": ("login", "-u", "me", "--password-stdin", site.domain),
    }.get(verb, (verb, f"{site.domain}/a/b:1"))
    ran = run(*words, stdin=SECRET.encode() if verb == "login" else b"")
    said = ran.out + ran.err
    # What the registry itself says is shown as it is; it knew the password.
    if wrong not in ("denied", "echo"):
        assert SECRET not in said
        assert BASIC not in said
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            # docker's own file is where logins are kept; there, and nowhere else
            assert path.name == "config.json" or BASIC.encode() not in content, path
