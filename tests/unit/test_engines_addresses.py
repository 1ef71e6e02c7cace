"""From an address, or docker's configuration, to the engine; TLS with real certificates."""

import hashlib
import json
import socket
import ssl

import pytest
import trustme

from engine_doubles import docker, serving
from killick.errors import NotFound, Unreachable, UsageError
from killick.fleet.engines import Tls, engine_at, from_environment
from killick.fleet.engines.lines import ssh

SECONDS = 20
MACHINE = socket.gethostname()


@pytest.mark.parametrize(
    ("url", "host", "kind"),
    [
        ("unix:///var/run/docker.sock", MACHINE, "docker"),
        ("unix:///run/podman/podman.sock", f"{MACHINE}:/run/podman/podman.sock", "docker"),
        ("tcp://web1", "web1:2375", "docker"),
        ("tcp://web1:99", "web1:99", "docker"),
        ("tcp://[::1]:99", "[::1]:99", "docker"),
        ("https://web1", "web1:2376", "docker"),
        ("ssh://ana@web1:22", "web1", "docker"),
        ("cri:///run/c.sock", f"{MACHINE}:/run/c.sock", "cri"),
        ("kube://prod", "prod", "kubernetes"),
        ("kube://arn:aws:eks:eu:1:cluster/x", "arn:aws:eks:eu:1:cluster/x", "kubernetes"),
        ("kube://", "kubernetes", "kubernetes"),
        ("file:///tmp/i.json", "/tmp/i.json", "inventory"),
    ],
)
def test_an_address_makes_an_engine(url, host, kind):
    engine = engine_at(url)
    assert (engine.host, engine.kind) == (host, kind)
    assert engine_at(url, "mine").host == "mine"


@pytest.mark.parametrize(
    "url",
    [
        "web1",
        "",
        "unix://relative.sock",
        "unix://",
        "tcp://",
        "tcp://web1/path",
        "tcp://ana@web1",
        "tcp://web1:port",
        "ssh://ana:secret@web1",
        "ssh://-oProxyCommand=x",
        "unix:///a?b",
        "gopher://web1",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError) as caught:
        engine_at(url)
    assert "secret" not in (caught.value.hint or "")


def test_certificates_go_with_addresses_that_can_use_them(tmp_path):
    with pytest.raises(UsageError, match="of no use"):
        engine_at("unix:///a", None, Tls(tmp_path / "ca.pem"))
    with pytest.raises(UsageError, match="can't be used"):
        engine_at("tcp://web1", None, Tls(tmp_path / "ca.pem"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Docker's own layout of files: ca.pem, cert.pem, key.pem; and a server's context."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client = authority.issue_cert("me@example")
    client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    return folder, server


def test_tls_with_a_client_certificate(certificates):
    folder, server = certificates
    tls = Tls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    with serving(docker("web-1"), tls=server) as double:
        assert len(engine_at(double.url, None, tls).snapshot(SECONDS).containers) == 1
        with pytest.raises(Unreachable):
            engine_at(double.url, None, Tls(folder / "ca.pem")).snapshot(SECONDS)
        with pytest.raises(Unreachable, match="TLS fails"):
            engine_at(double.url.replace("tcp", "https")).snapshot(SECONDS)


def context(folder, name, host, verify=True):
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": not verify}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    return folder / "contexts" / "tls" / key / "docker"


def test_docker_host_wins_over_contexts(tmp_path):
    context(tmp_path, "prod", "tcp://prod:1")
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "prod"}
    assert from_environment(environment).host == "prod"
    told = environment | {"DOCKER_HOST": "tcp://web1:2375"}
    assert from_environment(told).host == "web1:2375"


def test_the_current_context_is_taken(tmp_path):
    context(tmp_path, "prod", "tcp://prod:1")
    (tmp_path / "config.json").write_text('{"currentContext": "prod"}')
    assert from_environment({"DOCKER_CONFIG": str(tmp_path)}).host == "prod"


@pytest.mark.parametrize("said", [None, "{}", '{"currentContext": "default"}'])
def test_nothing_is_told_by_the_default_context(tmp_path, said):
    if said:
        (tmp_path / "config.json").write_text(said)
    assert from_environment({"DOCKER_CONFIG": str(tmp_path)}) is None


def test_a_context_that_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="no context 'prod'"):
        from_environment({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "prod"})


def test_a_configuration_that_is_broken_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config\.json is not valid JSON"):
        from_environment({"DOCKER_CONFIG": str(tmp_path)})


def test_the_certificates_of_a_context_are_used(tmp_path, certificates, monkeypatch):
    folder, server = certificates
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with serving(docker("web-1"), tls=server) as double:
        kept = context(tmp_path, "prod", double.url)
        kept.parent.mkdir(parents=True)
        kept.symlink_to(folder)
        found = engine_at("context://prod").snapshot(SECONDS)
        assert (found.host, len(found.containers)) == ("prod", 1)
        told = {
            "DOCKER_HOST": double.url,
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }
        assert len(from_environment(told).snapshot(SECONDS).containers) == 1


def fake_ssh(folder, monkeypatch, script):
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_ssh_that_fails_says_what_ssh_said(tmp_path, monkeypatch):
    fake_ssh(tmp_path, monkeypatch, "echo 'Permission denied (publickey).' >&2; exit 255")
    with pytest.raises(Unreachable, match=r"ssh ana@web1 failed: Permission denied \(publickey\)"):
        engine_at("ssh://ana@web1").snapshot(SECONDS)


def test_ssh_is_called_with_words_that_no_shell_can_misread(tmp_path, monkeypatch):
    fake_ssh(tmp_path, monkeypatch, f'printf "%s\\n" "$@" > {tmp_path}/words; exit 1')
    with pytest.raises(Unreachable):
        engine_at("ssh://ana@web1:2222/run/user/1/podman/podman.sock").snapshot(SECONDS)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:5] == ["-T", "-o", "BatchMode=yes", "-p", "2222"]
    assert words[-3:-1] == ["--", "ana@web1"]
    assert "podman --url unix:///run/user/1/podman/podman.sock system dial-stdio" in words[-1]


def test_without_ssh_it_is_said_that_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unreachable, match="there is no ssh"):
        ssh("web1", None, None)(1.0)
