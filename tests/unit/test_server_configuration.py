"""The configuration of a served registry: layers, strictness, what is shown."""

import pickle
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from killick.errors import UsageError
from killick.server.configuration import (
    Bounds,
    Configuration,
    Size,
    Wrong,
    assignments,
    load,
    section,
    setting,
    settings_of,
    shown,
)
from killick.server.configuration.table import Stated, arrays_of, fill
from killick.server.configuration.values import duration_text, read, size_text


def write(folder, text):
    path = folder / "killick.toml"
    path.write_text(text)
    return path


def refused(folder, text, environment=None, flags=None):
    with pytest.raises(UsageError) as caught:
        load(write(folder, text), environment or {}, flags)
    return caught.value


def test_nothing_stated_is_the_defaults():
    assert load(None, {}) == Configuration()


def test_later_layers_win(tmp_path):
    path = write(
        tmp_path, 'addr = "127.0.0.1:1"\nworkers = 2\nread_only = true\n[limits]\nblob = "10GiB"\n'
    )
    environment = {"KILLICK_SERVE_WORKERS": "3", "KILLICK_SERVE_LIMITS_BLOB": "5MB", "HOME": "x"}
    found = load(
        path,
        environment,
        assignments(["limits.blob=7", "read_only=no"]) | {"workers": ("4", "--workers")},
    )
    assert (found.addr, found.workers, found.read_only, found.limits.blob) == (
        "127.0.0.1:1",
        4,
        False,
        7,
    )


def test_a_configuration_goes_to_worker_processes(tmp_path):
    found = load(write(tmp_path, '[limits]\nidle = "1m30s"\n'), {})
    assert pickle.loads(pickle.dumps(found)) == found
    assert found.limits.idle == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("adr = 'x'", "{}: adr is no setting", "did you mean addr?"),
        ("[limits]\nblobb = 1", "{}: limits.blobb is no setting", "did you mean limits.blob?"),
        ("[limitss]\nblob = 1", "limitss is no setting", "did you mean limits?"),
        ("[limits]\nzzzz = 1", "{}: limits.zzzz is no setting", "there are blob, buffer"),
        ("workers = '2'", "{}: workers must be a whole number (it is '2')", "worker processes"),
        ("workers = true", "{}: workers must be a whole number (it is True)", "worker processes"),
        ("workers = 0", "{}: workers must be at least 1", "worker processes"),
        ("workers = 65", "{}: workers must be at most 64", "worker processes"),
        ("read_only = 1", "{}: read_only must be true or false", "refuse"),
        ("[limits]\nblob = '10 gigs'", "{}: limits.blob must be a size such as", "the largest"),
        ("[limits]\nidle = 60", "{}: limits.idle must be a duration such as", "the longest"),
        (
            "[limits]\nidle = '5 minutes'",
            "{}: limits.idle must be a duration such as",
            "the longest",
        ),
        ("[log]\nformat = 'xml'", "{}: log.format must be one of json, plain", "how"),
        ("limits = 3", "{}: limits must be a table", "write it as [limits]"),
        ("[addr]\nx = 1", "addr must be one value, not a table", None),
        ("[tls]\ncert = 'c.pem'", "{}: tls.cert needs tls.key beside it", None),
        ("[tls]\nclient_ca = 'c.pem'", "{}: tls.client_ca needs tls.cert and tls.key", None),
        ("store = true\nroot = '/r'", "{}: store serves the local store", "leave root off"),
        ("a = 1\na = 2", "{} is not TOML (", None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, message, hint):
    error = refused(tmp_path, text)
    assert error.message.startswith(message.format(tmp_path / "killick.toml")), error.message
    assert (error.hint or "").startswith(hint or "")


@pytest.mark.parametrize(
    ("environment", "message", "hint"),
    [
        (
            {"KILLICK_SERVE_WORKER": "2"},
            "KILLICK_SERVE_WORKER is the variable of no setting",
            "did you mean KILLICK_SERVE_WORKERS?",
        ),
        (
            {"KILLICK_SERVE_WORKERS": "two"},
            "KILLICK_SERVE_WORKERS must be a whole number",
            "worker",
        ),
        (
            {"KILLICK_SERVE_READ_ONLY": "perhaps"},
            "KILLICK_SERVE_READ_ONLY must be true or",
            "refuse",
        ),
        ({"KILLICK_SERVE_TLS_KEY": "k.pem"}, "KILLICK_SERVE_TLS_KEY needs tls.cert", None),
    ],
)
def test_the_environment_is_named_where_it_is_wrong(environment, message, hint):
    with pytest.raises(UsageError) as caught:
        load(None, environment)
    assert caught.value.message.startswith(message)
    assert (caught.value.hint or "").startswith(hint or "")


def test_flags_are_named_where_they_are_wrong():
    with pytest.raises(UsageError, match=r"^--set limits\.blub is no setting$") as caught:
        load(None, {}, assignments(["limits.blub=1"]))
    assert caught.value.hint == "did you mean limits.blob?"
    with pytest.raises(UsageError, match=r"^--set limits\.blob must be a size"):
        load(None, {}, assignments(["limits.blob=much"]))
    with pytest.raises(UsageError, match="states no value"):
        assignments(["limits.blob"])


def test_a_file_that_can_not_be_read(tmp_path):
    with pytest.raises(UsageError, match="can't be read"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is not UTF-8"):
        load(tmp_path / "bytes.toml", {})
    (tmp_path / "long.toml").write_bytes(b"#" * 1024 * 1024 + b"\n")
    with pytest.raises(UsageError, match="more than 1048576 bytes"):
        load(tmp_path / "long.toml", {})


def test_what_is_shown_can_be_loaded_again(tmp_path):
    text = 'root = "/srv/a \\"b\\""\nworkers = 2\n[limits]\nblob = "3MiB"\nidle = "1m0.5s"\n'
    found = load(write(tmp_path, text), {})
    again = load(write(tmp_path, shown(found)), {})
    assert again == found
    assert 'blob = "3MiB"' in shown(found)
    assert "# cert is not stated" in shown(found)


def test_every_setting_has_a_variable_of_its_own():
    variables = [one.variable for one in settings_of(Configuration)]
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("1h30m", 5400), ("30d", 2592000), ("250ms", 0.25), ("1.5h", 5400)],
)
def test_durations(text, seconds):
    found = read(timedelta, text, is_text=False)
    assert found == timedelta(seconds=seconds)
    assert read(timedelta, duration_text(found), is_text=True) == found


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("5", 5), ("5B", 5), ("1KiB", 1024), ("1.5 MiB", 1572864), ("2GB", 2 * 10**9)],
)
def test_sizes(text, size):
    found = read(Size, text, is_text=False)
    assert found == size
    assert read(Size, size_text(found), is_text=True) == found


@dataclass(frozen=True)
class Rule:
    pattern: str = setting(help="which")
    keep: int = setting(3, help="how many", bounds=Bounds(1))


@dataclass(frozen=True)
class Inner:
    words: tuple[str, ...] = setting((), help="some words")
    password: str | None = setting(None, help="a secret", secret=True)

    def __post_init__(self):
        if len(self.words) > 3:
            raise Wrong("words", "are too many", hint="three will do")


@dataclass(frozen=True)
class Outer:
    inner: Inner = section(Inner)
    rules: tuple[Rule, ...] = ()


def tree(**values):
    return {key: Stated(value, f"f: {key}") for key, value in values.items()}


def test_sections_by_others_need_nothing_but_their_dataclass():
    stated = {"inner": tree(words=["a"]), "rules": [tree(pattern="*"), tree(pattern="v*", keep=1)]}
    found = fill(Outer, stated)
    assert found == Outer(Inner(("a",)), (Rule("*"), Rule("v*", 1)))
    assert [one.name for one in settings_of(Outer)] == ["inner.words", "inner.password"]
    assert list(arrays_of(Outer)) == [("rules", Rule)]
    assert shown(found) == (
        '\n[inner]\nwords = ["a"]\n# password is not stated\n'
        '\n[[rules]]\npattern = "*"\nkeep = 3\n\n[[rules]]\npattern = "v*"\nkeep = 1\n'
    )


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"rules": [tree(keep=2)]}, r"rules\[1\]\.pattern must be stated"),
        ({"rules": [tree(pattern="a", keep=0)]}, "f: keep must be at least 1"),
        ({"rules": Stated(3, "f: rules")}, "f: rules must be tables"),
        ({"inner": tree(words="a")}, "f: words must be a list"),
        ({"inner": tree(words=list("abcd"))}, "f: words are too many"),
    ],
)
def test_tables_are_as_strict(stated, message):
    with pytest.raises(UsageError, match=message):
        fill(Outer, stated)


def test_secrets_are_neither_shown_nor_named_in_errors():
    found = fill(Outer, {"inner": tree(password="canary")})
    assert "canary" not in shown(found)
    with pytest.raises(UsageError) as caught:
        fill(Outer, {"inner": tree(password=["canary"])})
    assert "canary" not in str(caught.value)


def test_home_folders_are_understood(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert load(None, {"KILLICK_SERVE_ROOT": "~/registry"}).root == Path("/home/someone/registry")
