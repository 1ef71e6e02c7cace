"""user and token: accounts of a registry that runs, and what serve says where there are none."""

import base64
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli_runner import run
from killick.accounts import passwords
from killick.accounts.register import LOOK_AGAIN

PASSWORD = b"correct horse battery\n"
WAIT = 30


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Hashes that are quick to make and to check; they are taken as they are."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


def add(root, name, *words):
    ran = run("user", "add", name, "--root", root, "--password-stdin", *words, stdin=PASSWORD)
    assert ran.status == 0, ran.err


@contextmanager
def serving(root, *words):
    """Run `killick serve`; yield its port, and in the end, what it wrote on stderr."""
    command = [sys.executable, "-m", "killick", "serve", "--addr", "127.0.0.1:0", "--root", root]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    written = []
    with subprocess.Popen([*map(str, command), *map(str, words)], **pipes) as process:
        reader = threading.Thread(target=lambda: written.extend(process.stderr))
        reader.start()
        try:
            line = process.stdout.readline()
            yield int(re.search(r"http://127\.0\.0\.1:(\d+)", line)[1]), written
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(WAIT)
            reader.join(WAIT)
        assert status == 0, written


def basic(name, password=PASSWORD):
    return "Basic " + base64.b64encode(name.encode() + b":" + password.strip()).decode()


class Line:
    """One connection, which stays with one worker."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)

    def ask(self, path, credentials=None, method="GET"):
        headers = {"Authorization": credentials} if credentials else {}
        self._connection.request(method, path, headers=headers)
        answer = self._connection.getresponse()
        answer.body = answer.read()
        return answer

    def worker(self):
        """What request IDs of its worker begin with."""
        return self.ask("/healthz").headers["x-request-id"].rpartition("-")[0]

    def close(self):
        self._connection.close()


@contextmanager
def a_line_to_each_worker(port, count):
    lines = {}
    spare = []
    while len(lines) < count:
        line = Line(port)
        spare.append(line)
        lines.setdefault(line.worker(), line)
        assert len(spare) < 500, "one worker never answered"
    try:
        yield list(lines.values())
    finally:
        for line in spare:
            line.close()


def test_accounts_are_made_listed_changed_and_removed(root):
    add(root, "ana", "--admin")
    assert run("user", "add", "ci", "--robot", "--root", root).lines == ["ci"]
    listed = [json.loads(line) for line in run("user", "ls", "--json", "--root", root).lines]
    assert [(a["name"], a["admin"], a["enabled"], a["password"], a["tokens"]) for a in listed] == [
        ("ana", True, True, True, 0),
        ("ci", False, True, False, 0),
    ]
    assert run("user", "set", "ci", "--disable", "--admin", "--root", root).status == 0
    rows = [line.split() for line in run("user", "ls", "--root", root).lines]
    assert rows[0] == ["NAME", "ROLE", "STATE", "TOKENS", "CREATED"]
    assert rows[2][:3] == ["ci", "admin", "disabled"]
    assert run("user", "rm", "ci", "--root", root).lines == ["ci"]
    assert run("user", "ls", "-q", "--root", root).lines == ["ana"]


def test_what_can_not_be_done_is_said(root):
    assert run("user", "ls", "--root", root).status == 4
    add(root, "ana")
    for words, status in (
        (["user", "add", "ana", "--robot"], 1),
        (["user", "add", "Ana", "--robot"], 2),
        (["user", "add", "anonymous", "--robot"], 2),
        (["user", "add", "ben"], 2),  # there is no terminal
        (["user", "add", "ben", "--robot", "--password-stdin"], 2),
        (["user", "rm", "ben"], 4),
        (["user", "passwd", "ben", "--password-stdin"], 4),
        (["user", "set", "ana"], 2),
        (["user", "set", "ben", "--disable"], 4),
        (["token", "create", "ben"], 4),
        (["token", "create", "ana", "--right", "everything"], 2),
        (["token", "create", "ana", "--repository", "A"], 2),
        (["token", "create", "ana", "--expires", "soon"], 2),
        (["token", "create", "ana", "--expires", "1s"], 2),
        (["token", "rm", "0123"], 4),
        (["token", "ls", "ben"], 4),
    ):
        ran = run(*words, "--root", root, stdin=PASSWORD)
        assert (ran.status, ran.out) == (status, ""), words
        assert ran.err.startswith("killick: ") or "Usage" in ran.err, words
        assert "correct" not in ran.err
    assert run("user", "ls", "-q", "--root", root).lines == ["ana"]


@pytest.mark.parametrize("typed", [b"", b"short\n", b"x" * 73, b"x" * 10_000])
def test_bad_passwords_are_refused(root, typed):
    ran = run("user", "add", "ana", "--password-stdin", "--root", root, stdin=typed)
    assert ran.status == 2
    assert not (root / "access/accounts.json").exists()


def test_tokens_are_shown_once_listed_and_taken_back(root):
    add(root, "ana")
    ran = run(
        *("token", "create", "ana", "--root", root, "--label", "build", "--right", "pull"),
        *("--repository", "team/**", "--expires", "never"),
    )
    (text,) = ran.lines
    assert text.startswith("killick_")
    (line,) = run("token", "ls", "--json", "--root", root).lines
    value = json.loads(line)
    assert value["rights"] == ["pull"]
    assert value["repositories"] == ["team/**"]
    assert value["expires"] is None
    assert value["id"] == text.split("_")[1]
    assert text.split("_", 2)[2] not in (root / "access/accounts.json").read_text()
    assert run("token", "rm", value["id"], "--root", root).status == 0
    assert run("token", "ls", "-q", "--root", root).lines == []


def test_changes_are_in_the_audit_log(root):
    add(root, "ana")
    text = run("token", "create", "ana", "--root", root).lines[0]
    run("user", "passwd", "ana", "--password-stdin", "--root", root, stdin=b"another password")
    run("user", "set", "ana", "--admin", "--root", root)
    run("token", "rm", text.split("_")[1], "--root", root)
    run("user", "rm", "ana", "--root", root)
    log = (root / "access/audit.jsonl").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    assert [entry["event"] for entry in entries] == [
        "account-added",
        "token-created",
        "password-changed",
        "account-changed",
        "token-removed",
        "account-removed",
    ]
    assert entries[3]["admin"] is True
    assert all("@" in entry["actor"] and entry["from"] == "local" for entry in entries)
    assert text not in log
    assert "password" not in log.replace("password-changed", "")


def test_the_settings_say_which_registry_and_which_log(tmp_path):
    config, log = tmp_path / "serve.toml", tmp_path / "audit.log"
    config.write_text(f'root = "{tmp_path}/elsewhere"\n[access]\naudit = "{log}"\n')
    assert run("user", "add", "ci", "--robot", "--config", config).status == 0
    assert (tmp_path / "elsewhere/access/accounts.json").exists()
    assert json.loads(log.read_text())["event"] == "account-added"


def test_what_is_taken_back_counts_no_more_on_either_of_two_workers(root):
    """The real thing: two processes, and a command that changes the accounts between two calls."""
    add(root, "ana", "--admin")
    add(root, "ben")
    text = run("token", "create", "ben", "--root", root).lines[0].encode()
    with serving(root, "--workers", 2) as (port, written), a_line_to_each_worker(port, 2) as lines:
        path = "/v2/a/blobs/uploads/"

        def everywhere(credentials, status, path=path):
            method = "POST" if path.endswith("uploads/") else "GET"
            assert [line.ask(path, credentials, method).status for line in lines] == [status] * 2

        token = "/v2/_killick/token?scope=repository:a:pull,push,delete&offline_token=true"
        given = json.loads(lines[0].ask(token, basic("ben")).body)
        bearer, by_token = f"Bearer {given['token']}", basic("ben", text)
        for credentials in (bearer, by_token, basic("ben")):
            everywhere(credentials, 202)
        run("token", "rm", text.decode().split("_")[1], "--root", root)
        everywhere(by_token, 401)
        everywhere(bearer, 202)
        run("user", "passwd", "ben", "--password-stdin", "--root", root, stdin=b"another password")
        everywhere(bearer, 401)
        everywhere(basic("ben"), 401)
        everywhere(basic("ben", b"another password"), 202)
        run("user", "set", "ben", "--disable", "--root", root)
        everywhere(basic("ben", b"another password"), 401)
        run("user", "set", "ben", "--enable", "--root", root)
        everywhere(basic("ben", b"another password"), 202)
        run("user", "rm", "ben", "--root", root)
        everywhere(basic("ben", b"another password"), 401)
        everywhere(basic("ana"), 200, "/v2/")
        assert lines[0].ask("/v2/_killick/chores/collect", basic("ana"), "POST").status == 202
        run("user", "set", "ana", "--no-admin", "--root", root)
        everywhere(basic("ana"), 403, "/v2/_killick/chores")
        (root / "access/accounts.json").write_text("{")
        time.sleep(LOOK_AGAIN)
        everywhere(basic("ana"), 500, "/v2/")
        everywhere(None, 500, "/v2/")
    log = (root / "access/audit.jsonl").read_text() + "".join(written)
    events = {json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")}
    assert events >= {"rules", "login", "login-failed", "refused", "ordered", "account-removed"}
    for secret in (PASSWORD.decode().strip(), "another password", text.decode(), given["token"]):
        assert secret not in log
        assert base64.b64encode(b"ben:" + secret.encode()).decode() not in log
    assert given["refresh_token"] not in log


def test_both_workers_slow_who_tries_passwords(root):
    add(root, "ana")
    with serving(root, "--workers", 2) as (port, _), a_line_to_each_worker(port, 2) as lines:
        seen = [
            lines[number % 2].ask("/v2/", basic("ana", b"wrong password")).status
            for number in range(6)
        ]
        assert seen[:5] == [401] * 5
        assert seen[5] in (401, 429)  # a slow machine may have waited for long enough
        for number in range(8):
            answer = lines[number % 2].ask("/v2/", basic("ana", b"wrong password"))
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) >= 1


def test_the_first_account_closes_a_registry_that_runs(root):
    with serving(root) as (port, _):
        line = Line(port)
        assert line.ask("/v2/").status == 200
        add(root, "ana")
        answer = line.ask("/v2/")
        assert answer.status == 401
        realm = f'Bearer realm="http://127.0.0.1:{port}/v2/_killick/token",service="killick"'
        assert answer.headers["www-authenticate"] == realm
        assert line.ask("/v2/", basic("ana")).status == 200
        line.close()


def test_other_machines_need_accounts_or_that_it_is_said(root):
    ran = run("serve", "--addr", "0.0.0.0:0", "--root", root)
    assert (ran.status, ran.out) == (2, "")
    assert "there are no accounts" in ran.err
    assert f"killick user add NAME --admin --root {root}" in ran.err
    ran = run("serve", "--root", root, "--set", "access.public_url=https://registry.example")
    assert ran.status == 2


def test_passwords_do_not_travel_readably_unasked(root):
    add(root, "ana")
    ran = run("serve", "--addr", "0.0.0.0:0", "--root", root)
    assert (ran.status, ran.out) == (2, "")
    assert "passwords would travel" in ran.err
    assert "plain_http" in ran.err
    ran = run("serve", "--addr", "0.0.0.0:0", "--root", root, "--set", "plain_http=on", "--check")
    assert ran.status == 0, ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[access]\nanonimous = 'pull'", "access.anonimous is no setting"),
        ("[[access.rule]]\nrepositories = ['a']", "rights"),
        ("[[access.rule]]\nrepositories = ['a']\nrights = ['pull']\nadmin = true", "is no setting"),
        ("[[access.rule]]\nrepositories = ['a']\nrights = ['list']\naccounts = ['a']", "one of"),
        ("[[access.rule]]\nrepositories = ['a']\nrights = ['pull']", "accounts or groups"),
        ("[[access.rule]]\nrepositories = ['A']\nrights = ['pull']\naccounts = ['a']", "pattern"),
        ("[[access.rule]]\nrepositories = ['a']\nrights = ['pull']\ngroups = ['x']", "group 'x'"),
        ("[access]\npublic = ['A']", "access.public is wrong"),
        ("[access]\npublic_url = 'registry.example'", "access.public_url is not a URL"),
        ("[access]\npublic_url = 'https://a/b'", "access.public_url is not a URL"),
        ("[access]\ntrusted_proxies = ['x']", "access.trusted_proxies is wrong"),
    ],
)
def test_wrong_settings_are_refused_at_start(tmp_path, root, text, message):
    config = tmp_path / "serve.toml"
    config.write_text(text)
    ran = run("serve", "--addr", "127.0.0.1:0", "--root", root, "--config", config)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err


def test_the_settings_that_the_page_shows_are_taken(tmp_path, root):
    page = (Path(__file__).parents[2] / "docs/accounts.md").read_text()
    config = tmp_path / "serve.toml"
    config.write_text(re.search(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1])
    ran = run("serve", "--root", root, "--config", config, "--check")
    assert ran.status == 0, ran.err
    shown = tmp_path / "shown.toml"
    shown.write_text(ran.out)
    assert run("serve", "--config", shown, "--check").out == ran.out
    assert 'groups = ["team-a"]' in ran.out


def test_rules_hold_where_the_registry_is_served(tmp_path, root):
    for name in ("ana", "ci-1"):
        add(root, name)
    config = tmp_path / "serve.toml"
    config.write_text(
        """
        [access]
        public = ["public/**"]
        [[access.group]]
        name = "devs"
        accounts = ["ana"]
        [[access.rule]]
        repositories = ["team-a/**"]
        rights = ["pull", "push"]
        groups = ["devs"]
        [[access.rule]]
        repositories = ["**"]
        rights = ["pull"]
        accounts = ["ci-*"]
        """
    )
    with serving(root, "--config", config) as (port, _):
        line = Line(port)
        for path, credentials, status in (
            ("/v2/team-a/x/tags/list", basic("ana"), 404),
            ("/v2/team-b/x/tags/list", basic("ana"), 403),
            ("/v2/team-b/x/tags/list", basic("ci-1"), 404),
            ("/v2/team-b/x/tags/list", None, 401),
            ("/v2/public/x/tags/list", None, 404),
        ):
            assert line.ask(path, credentials).status == status, path
        assert line.ask("/v2/team-a/x/blobs/uploads/", basic("ci-1"), "POST").status == 403
        line.close()


def test_a_read_only_registry_lets_nobody_push(root):
    add(root, "ana", "--admin")
    with serving(root) as _:
        pass
    with serving(root, "--read-only") as (port, _):
        line = Line(port)
        answer = line.ask("/v2/a/blobs/uploads/", basic("ana"), "POST")
        assert answer.status == 403
        assert b"read-only for now" in answer.body
        assert line.ask("/v2/_catalog", basic("ana")).status == 200
        line.close()
