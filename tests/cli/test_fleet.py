"""`killick fleet` and `killick scan`: engines by name, and what they run, kept or reported."""

import json
from datetime import UTC, datetime

import pytest

from cli.test_serve import serving as serving_registry
from cli_runner import run
from engine_doubles import DIGEST, docker, serving
from killick.store import Store


@pytest.fixture
def engine():
    with serving(docker("web-1", "web-2")) as double:
        yield double


@pytest.fixture
def store(tmp_path):
    def opened():
        return Store(tmp_path / "store", read_only=True)

    return opened


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "inventory.json"
    containers = [{"id": "i1", "image": f"golftrack@{DIGEST}"}]
    path.write_text(json.dumps({"containers": containers}))
    return path


class TestFleet:
    def test_engines_are_added_listed_and_removed(self, home):
        assert run("fleet", "ls").lines == ["NAME      URL"]
        assert run("fleet", "add", "web1", "tcp://web1:2375").out == "web1\n"
        assert run("fleet", "add", "a", "kube://prod").status == 0
        assert run("fleet", "ls").lines == [
            "NAME      URL",
            "a         kube://prod",
            "web1      tcp://web1:2375",
        ]
        assert run("fleet", "ls", "-q").lines == ["a", "web1"]
        assert run("fleet", "rm", "a", "web1").lines == ["a", "web1"]
        assert run("fleet", "ls", "-q").out == ""
        assert (home / "fleet.json").exists()

    def test_certificates_are_kept_with_full_paths(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        ran = run("fleet", "add", "web1", "tcp://web1", "--ca-file", "ca.pem")
        assert (ran.status, ran.err.startswith("killick: the certificates can't be used")) == (
            2,
            True,
        )
        assert run("fleet", "ls", "-q").out == ""

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (("add", "web1", "web1"), 2, "no address of an engine"),
            (("add", "we b", "tcp://web1"), 2, "can't be the name"),
            (("add", "web1", "tcp://web1", "--key"), 2, ""),
            (("rm", "web1"), 4, "there is no engine 'web1'"),
        ],
    )
    def test_what_is_wrong_is_said(self, words, status, message):
        ran = run("fleet", *words)
        assert ran.status == status
        assert message in ran.err

    def test_a_name_is_taken_once(self):
        run("fleet", "add", "web1", "tcp://web1")
        ran = run("fleet", "add", "web1", "tcp://web2")
        assert ran.status == 2
        assert "killick fleet rm web1" in ran.err
        assert json.loads(run("fleet", "ls", "--json").out)["url"] == "tcp://web1"

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"engines": {"a b": {}}}', '{"engines": {"a": 1}}']
    )
    def test_a_broken_file_is_named(self, home, text):
        (home / "fleet.json").write_text(text)
        ran = run("fleet", "ls")
        assert ran.status == 2
        assert "fleet.json" in ran.err


class TestScan:
    def test_what_runs_is_kept_in_the_store(self, engine, store):
        ran = run("scan", "--host", engine.url, "--json")
        assert ran.status == 0
        found = json.loads(ran.out)
        assert (found["engine"], found["containers"], found["images"]) == ("docker", 2, 1)
        with store() as opened:
            (snapshot,) = opened.snapshots()
            assert [c.name for c in snapshot.containers] == ["web-1", "web-2"]
            assert len(list(opened.sightings(DIGEST))) == 2

    def test_the_added_engines_are_asked(self, engine, inventory):
        run("fleet", "add", "web1", engine.url)
        run("fleet", "add", "ecs", f"file://{inventory}")
        lines = run("scan").lines
        assert [line.split() for line in lines] == [
            ["HOST", "ENGINE", "CONTAINERS", "IMAGES", "PROBLEM"],
            ["ecs", "inventory", "1", "1"],
            ["web1", "docker", "2", "1"],
        ]
        assert len(run("scan", "--host", "web1", "-q").lines) == 1

    def test_a_dead_engine_is_a_line_and_no_failure(self, engine, tmp_path, store):
        run("fleet", "add", "web1", engine.url)
        run("fleet", "add", "web2", f"unix://{tmp_path}/none.sock")
        ran = run("scan")
        assert ran.status == 0
        assert "no such file" in ran.lines[2]
        with store() as opened:
            assert [s.failure is None for s in opened.snapshots()] == [True, False]

    def test_where_no_engine_answers_the_scan_has_failed(self, tmp_path):
        assert run("scan", "--host", f"unix://{tmp_path}/none.sock").status == 1

    def test_docker_host_is_asked_where_nothing_was_added(self, engine, monkeypatch):
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        assert len(run("scan", "-q").lines) == 1

    def test_what_is_known_of_a_container_outlives_it(self, engine, store):
        run("scan", "--host", engine.url)
        engine.table["/v1.41/containers/json"] = []
        run("scan", "--host", engine.url)
        with store() as opened:
            assert next(iter(opened.snapshots())).containers == ()
            assert {s.container.image for s in opened.sightings(DIGEST)} == {"golftrack:1.5"}

    def test_a_server_is_told(self, engine, host):
        name = f"web-{datetime.now(UTC).timestamp()}"
        run("fleet", "add", name, engine.url)
        ran = run("scan", "--to", host)
        assert (ran.status, ran.err) == (0, "")
        assert run("scan", "--to", f"http://{host}/").status == 0

    def test_what_is_no_server_of_ours_says_so(self, engine):
        with serving({}) as other:
            ran = run("scan", "--host", engine.url, "--to", other.url.partition("://")[2])
        assert ran.status == 1
        assert "takes no reports" in ran.err
        assert run("scan", "--host", engine.url, "--to", "web1/path").status == 2

    def test_an_account_that_may_report_and_nothing_else(self, engine, tmp_path):
        root, settings = tmp_path / "registry", tmp_path / "serve.toml"
        settings.write_text(
            '[[access.rule]]\nrepositories = ["**"]\naccounts = ["host-*"]\nrights = ["report"]\n'
        )
        run(
            "user",
            "add",
            "ana",
            "--admin",
            "--password-stdin",
            "--root",
            root,
            stdin=b"anchors-aweigh",
        )
        run("user", "add", "host-1", "--robot", "--root", root)
        token = run("token", "create", "host-1", "--right", "report", "--root", root).lines[-1]
        with serving_registry("--config", settings, "--root", root) as host:
            told = ("scan", "--host", engine.url, "--to", host)
            assert run(*told).status == 5
            run("login", "-u", "host-1", "--password-stdin", host, stdin=token.encode())
            assert run(*told).status == 0
            assert run("tags", f"{host}/app").status == 5
        with Store(root, read_only=True) as kept:
            assert len(list(kept.sightings(DIGEST))) == 2

    @pytest.mark.parametrize("name", ["nobody", "nobody:"])
    def test_an_engine_that_nobody_knows(self, name):
        assert run("scan", "--host", name).status in (2, 4)
