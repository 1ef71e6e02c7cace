"""kubeconfig as people have it: what is known of it, and what is refused by name."""

import base64
import json

import pytest

from engine_doubles import serving
from killick.errors import NotFound, Unauthorized, Unsupported, UsageError
from killick.fleet.engines import engine_at, kubeconfig
from killick.fleet.engines.kubeconfig import Cluster, User, load, tls_context
from killick.fleet.engines.kubelogin import logged_in
from killick.observation import Claim, Workload

SECONDS = 20
INDEX = "sha256:" + "a" * 64
CLUSTER = Cluster("https://k8s.example:6443")


def config(path, user=None, cluster=None, **more):
    cluster = {"server": "https://k8s.example:6443", **(cluster or {})}
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
        **more,
    }
    path.write_text(json.dumps(document))
    return {"KUBECONFIG": str(path)}


def test_yaml_as_it_is_written(tmp_path):
    path = tmp_path / "config"
    path.write_text(
        "apiVersion: v1\ncurrent-context: here\n"
        "contexts:\n- name: here\n  context: {cluster: c, user: u}\n"
        "clusters:\n- name: c\n  cluster:\n    server: https://k8s.example:6443\n"
        "    tls-server-name: other\n    insecure-skip-tls-verify: true\n"
        "users:\n- name: u\n  user:\n    token: abc\n    as: ana\n    as-groups: [a, b]\n"
    )
    cluster, user = load(None, {"KUBECONFIG": str(path)})
    assert cluster == Cluster("https://k8s.example:6443", None, "other", verify=False)
    assert user.token == "abc"
    assert user.headers == (
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-User", "ana"),
    )


def test_files_of_a_configuration_are_relative_to_it(tmp_path):
    (tmp_path / "ca").write_bytes(b"PEM")
    (tmp_path / "token").write_text("t\n")
    environment = config(
        tmp_path / "config",
        {"tokenFile": "token", "client-certificate-data": base64.b64encode(b"C").decode()},
        {"certificate-authority": "ca"},
    )
    cluster, user = load(None, environment)
    assert (cluster.ca, user.token, user.cert) == (b"PEM", "t", b"C")
    assert "token" not in repr(user).replace("'", "")


def test_of_several_files_the_first_that_says_it_wins(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    config(one, {"token": "first"})
    config(two, {"token": "second"}, **{"current-context": "there"})
    paths = {"KUBECONFIG": f"{tmp_path}/none:{one}:{two}"}
    assert load(None, paths)[1].token == "first"
    config(one, {"token": "first"}, **{"current-context": ""})
    with pytest.raises(NotFound, match="no context 'there'"):
        load(None, paths)


@pytest.mark.parametrize(
    ("user", "cluster", "error", "words"),
    [
        ({"auth-provider": {"name": "gcp"}}, {}, Unsupported, "auth-provider"),
        ({}, {"proxy-url": "http://p"}, Unsupported, "proxy-url"),
        ({"tokenFile": "none"}, {}, UsageError, "can't be read"),
        ({"client-key-data": "%"}, {}, UsageError, "not base64"),
    ],
)
def test_what_can_not_be_used_says_so(tmp_path, user, cluster, error, words):
    with pytest.raises(error, match=words):
        load(None, config(tmp_path / "config", user, cluster))


@pytest.mark.parametrize("content", [b"a: [", b"\xc3\x28", b"a: 1\na: 2\n"])
def test_what_is_no_yaml_says_so(tmp_path, content):
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not YAML"):
        load(None, {"KUBECONFIG": str(path)})


@pytest.mark.parametrize("content", ["", "[]", "just words", "contexts: 3"])
def test_what_says_nothing_is_as_none(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(NotFound, match="no kubeconfig with a current context"):
        load(None, {"KUBECONFIG": str(path)})


def test_a_context_has_to_be_there(tmp_path):
    with pytest.raises(NotFound, match="no context 'there'"):
        load("there", config(tmp_path / "config"))
    broken = config(tmp_path / "config", clusters=[])
    with pytest.raises(NotFound, match="no cluster 'c'"):
        load(None, broken)


def test_within_a_pod(tmp_path, monkeypatch):
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "ca.crt").write_text("PEM")
    environment = {
        "KUBECONFIG": str(tmp_path / "none"),
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    assert load(None, environment)[0] == Cluster("https://[fd00::1]:443", b"PEM")
    assert load(None, environment)[1].token == "t"


def test_certificates_that_are_none(tmp_path):
    for cluster, user in (
        (Cluster("x", ca=b"nonsense"), User()),
        (Cluster("x", ca=b"\xff"), User()),
        (Cluster("x"), User(cert=b"nonsense", key=b"")),
    ):
        with pytest.raises(UsageError, match="can't be used"):
            tls_context(cluster, user)


class TestPlugin:
    @pytest.fixture
    def user(self, tmp_path):
        def made(script, **more):
            path = tmp_path / "login"
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            return User(plugin={"command": "./login", **more}, folder=tmp_path)

        return made

    def test_its_token_is_taken(self, user):
        printed = json.dumps({"status": {"token": "fresh"}})
        assert logged_in(user(f"echo '{printed}'"), CLUSTER, SECONDS).token == "fresh"

    def test_its_certificate_is_taken(self, user):
        printed = json.dumps({"status": {"clientCertificateData": "C", "clientKeyData": "K"}})
        found = logged_in(user(f"echo '{printed}'"), CLUSTER, SECONDS)
        assert (found.token, found.cert, found.key) == (None, b"C", b"K")

    def test_it_is_told_what_it_asks_for(self, user, tmp_path):
        script = (
            f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; echo "$1 $EXTRA" > {tmp_path}/args'
        )
        made = user(
            f'{script}; echo \'{{"status": {{"token": "t"}}}}\'',
            args=["get-token"],
            env=[{"name": "EXTRA", "value": "more"}],
            provideClusterInfo=True,
            apiVersion="client.authentication.k8s.io/v1beta1",
        )
        logged_in(made, Cluster("https://k", b"PEM", "name", verify=False), SECONDS)
        info = json.loads((tmp_path / "info").read_text())
        assert info["apiVersion"] == "client.authentication.k8s.io/v1beta1"
        assert info["spec"]["interactive"] is False
        assert info["spec"]["cluster"] == {
            "server": "https://k",
            "certificate-authority-data": base64.b64encode(b"PEM").decode(),
            "tls-server-name": "name",
            "insecure-skip-tls-verify": True,
        }
        assert (tmp_path / "args").read_text() == "get-token more\n"

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("echo 'log in first' >&2; exit 1", "failed: log in first"),
            ("exit 1", "failed: no reason given"),
            ("echo nonsense", "printed no credential"),
            ("echo '{}'", "printed no credential"),
        ],
    )
    def test_its_failure_is_told(self, user, script, words):
        with pytest.raises(Unauthorized, match=words):
            logged_in(user(script), CLUSTER, SECONDS)

    def test_it_has_no_more_time_than_there_is(self, user):
        with pytest.raises(Unauthorized, match="timed out"):
            logged_in(user("exec sleep 60"), CLUSTER, 0.2)

    def test_where_it_is_missing_its_own_hint_is_shown(self, tmp_path):
        user = User(plugin={"command": "no-such-plugin", "installHint": "get it"}, folder=tmp_path)
        with pytest.raises(Unauthorized, match="not installed") as caught:
            logged_in(user, CLUSTER, SECONDS)
        assert caught.value.hint == "get it"

    def test_one_that_needs_a_terminal_is_refused(self, user):
        with pytest.raises(Unsupported, match="needs a terminal"):
            logged_in(user("", interactiveMode="Always"), CLUSTER, SECONDS)

    def test_one_without_a_command_is_refused(self):
        with pytest.raises(UsageError, match="no command"):
            logged_in(User(plugin={"args": []}), CLUSTER, SECONDS)


def pod(number):
    return {
        "metadata": {"namespace": "shop", "name": f"web-{number}", "uid": f"u{number}"},
        "spec": {"containers": [{"name": "app", "image": "golftrack:1.5"}]},
        "status": {"containerStatuses": [{"name": "app", "imageID": INDEX}]},
    }


def test_no_token_goes_over_a_plain_line(tmp_path, monkeypatch):
    with serving({}) as double:
        server = double.url.replace("tcp", "http")
        told = config(tmp_path / "config", {"token": "t"}, {"server": server})
        monkeypatch.setenv("KUBECONFIG", told["KUBECONFIG"])
        with pytest.raises(UsageError, match="not sent without TLS"):
            engine_at("kube://").snapshot(SECONDS)
    assert double.asked == []


def test_a_list_whose_pages_expire_is_begun_anew(tmp_path, monkeypatch):
    table = {
        "/prefix/api/v1/pods?limit=500": {"items": [pod(1)], "metadata": {"continue": "more"}},
        "/prefix/api/v1/pods?limit=500&continue=more": (410, {"message": "too old"}),
        "/prefix/api/v1/pods": {"items": [pod(1), pod(2), "odd", {"spec": 3}]},
    }
    with serving(table) as double:
        server = double.url.replace("tcp", "http") + "/prefix/"
        told = config(tmp_path / "config", {"as": "ana"}, {"server": server})
        monkeypatch.setenv("KUBECONFIG", told["KUBECONFIG"])
        table["/prefix/api/v1/nodes"] = (403, {"message": "forbidden"})
        found = engine_at("kube://", "shop").snapshot(SECONDS)
    assert [c.name for c in found.containers] == ["shop/web-1/app", "shop/web-2/app"]
    assert found.containers[0].claims == (Claim("status.containerStatuses.imageID", INDEX),)
    assert found.containers[0].workload == Workload("Pod", "web-1", "shop")
    assert {method for method, _ in double.asked} == {"GET"}
    assert double.headers[0]["impersonate-user"] == "ana"
