"""A registry with TLS and accounts under the clients that people have: login, pull, push, refusals.

It is served on an address that is not loopback's, so that clients look at its certificate.
"""

import base64
import contextlib
import http.client
import io
import json
import os
import shutil
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from compat.images import every_shape
from compat.processes import Tool, daemon, find, free_port, killick_with

ADDRESS = "198.18.0.1"
"""Of the networks for benchmarks (RFC 2544): on no machine's way to anywhere."""
PASSWORD = b"correct horse battery"
IMAGE = every_shape()["one-platform"]
DENIALS = ("denied", "denies", "forbidden", "unauthorized", "authentication", "needs a login")
DENIALS += ("invalid username", "does not accept this user name")
RULES = """
[access]
public = ["public/**"]
[[access.rule]]
repositories = ["team/**"]
rights = ["pull", "push", "delete"]
accounts = ["ana", "ci"]
"""


@dataclass(frozen=True)
class Guarded:
    """A registry with accounts `ana` (for `team/`) and `ci`, of which `token` may only pull."""

    host: str
    ca: Path  # the authority's certificate, alone in its folder as `ca.crt`
    token: str
    command: Tool  # killick, over the same root
    root: Path

    @property
    def certs(self) -> Path:
        return self.ca.parent

    def ask(self, path: str, name: str, password: bytes = PASSWORD) -> int:
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection(self.host, timeout=30, context=context)
        with contextlib.closing(connection):
            pair = base64.b64encode(name.encode() + b":" + password).decode()
            connection.request("GET", path, headers={"Authorization": f"Basic {pair}"})
            return connection.getresponse().status

    def has(self, repository: str, tag: str = "1") -> bool:
        return self.ask(f"/v2/{repository}/manifests/{tag}", "root") == 200


@contextlib.contextmanager
def an_address() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("an address can only be added as root")
    ip = find("ip")
    subprocess.run([ip, "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=False)
    try:
        yield
    finally:
        subprocess.run([ip, "address", "del", f"{ADDRESS}/32", "dev", "lo"], check=False)


@pytest.fixture(scope="module")
def guarded(home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    port, root = free_port(), folder / "registry"
    host = f"{ADDRESS}:{port}"
    authority = trustme.CA()
    shown = authority.issue_cert(ADDRESS)
    (folder / "certs").mkdir()
    authority.cert_pem.write_to_path(folder / "certs/ca.crt")
    shown.private_key_pem.write_to_path(folder / "key.pem")
    for part in shown.cert_chain_pems:
        part.write_to_path(folder / "cert.pem", append=True)
    (folder / "serve.toml").write_text(
        f'addr = "{host}"\nroot = "{root}"\nworkers = 2\n'
        f'[tls]\ncert = "{folder}/cert.pem"\nkey = "{folder}/key.pem"\n{RULES}'
    )
    tool = killick_with(folder / "store", home)
    for name, *words in (("root", "--admin"), ("ana",)):
        tool.run("user", "add", name, *words, "--password-stdin", "--root", root, stdin=PASSWORD)
    tool.run("user", "add", "ci", "--robot", "--root", root)
    token = tool.run("token", "create", "ci", "--right", "pull", "--root", root)
    with (
        an_address(),
        daemon(
            [*tool.command, "serve", "--config", str(folder / "serve.toml")],
            ready=lambda: listens_at(ADDRESS, port),
            log=folder / "log",
            env=tool.env,
        ),
    ):
        yield Guarded(host, folder / "certs/ca.crt", token, tool, root)


def listens_at(address: str, port: int) -> bool:
    import socket

    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def refused(tool: Tool, *words: str | Path, stdin: bytes = b"") -> str:
    """Run what must fail for want of rights; return what it said."""
    done = tool.call(*words, stdin=stdin)
    said = (done.stderr + done.stdout).decode().lower()
    assert done.returncode != 0, words
    assert any(word in said for word in DENIALS), said
    return said


def alone(tool: Tool, folder: Path) -> Tool:
    """The tool with a file of credentials of its own."""
    (folder / "auth.json").write_text("{}")
    return Tool(*tool.command, env={**tool.env, "REGISTRY_AUTH_FILE": str(folder / "auth.json")})


def test_crane(guarded: Guarded, crane: Tool, tmp_path: Path) -> None:
    env = {**crane.env, "SSL_CERT_FILE": str(guarded.ca), "DOCKER_CONFIG": str(tmp_path / "docker")}
    crane = Tool(*crane.command, env=env)
    host = guarded.host
    layout = IMAGE.layout(tmp_path / "in", "1")
    refused(crane, "push", layout, f"{host}/team/crane:1")
    crane.run("auth", "login", host, "-u", "ana", "--password-stdin", stdin=PASSWORD)
    crane.run("push", layout, f"{host}/team/crane:1")
    assert crane.run("digest", f"{host}/team/crane:1") == IMAGE.root.digest
    crane.run("copy", f"{host}/team/crane:1", f"{host}/team/crane-copy:1")
    assert crane.run("catalog", host).splitlines() == ["team/crane", "team/crane-copy"]
    refused(crane, "push", layout, f"{host}/other/crane:1")
    refused(crane, "push", layout, f"{host}/public/crane:1")
    crane.run("delete", f"{host}/team/crane-copy@{IMAGE.root.digest}")
    assert not guarded.has("team/crane-copy")
    crane.run("auth", "login", host, "-u", "ci", "-p", guarded.token)
    assert crane.run("digest", f"{host}/team/crane:1") == IMAGE.root.digest
    refused(crane, "push", layout, f"{host}/team/crane:2")
    crane.run("auth", "login", host, "-u", "root", "--password-stdin", stdin=PASSWORD)
    crane.run("push", layout, f"{host}/public/crane:1")
    crane.run("auth", "logout", host)
    assert crane.run("digest", f"{host}/public/crane:1") == IMAGE.root.digest
    refused(crane, "digest", f"{host}/team/crane:1")


def test_skopeo(guarded: Guarded, skopeo: Tool, tmp_path: Path) -> None:
    skopeo = alone(skopeo, tmp_path)
    name = f"docker://{guarded.host}/team/skopeo:1"
    layout = IMAGE.layout(tmp_path / "in", "1")
    dest, src, certs = "--dest-cert-dir", "--src-cert-dir", guarded.certs
    refused(skopeo, "copy", dest, certs, f"oci:{layout}:1", name)
    login = ("login", "--cert-dir", certs, "--username", "ana", "--password-stdin", guarded.host)
    refused(skopeo, *login, stdin=b"wrong password")
    skopeo.run(*login, stdin=PASSWORD)
    skopeo.run("copy", dest, certs, f"oci:{layout}:1", name)
    skopeo.run("copy", src, certs, name, f"oci:{tmp_path}/out:1")
    listed = skopeo.json("list-tags", "--cert-dir", certs, name.rpartition(":")[0])
    assert listed["Tags"] == ["1"]
    refused(skopeo, "copy", dest, certs, f"oci:{layout}:1", name.replace("team", "other"))
    skopeo.run("delete", "--cert-dir", certs, name)
    assert not guarded.has("team/skopeo")


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_engines_without_a_daemon(
    engine: str, guarded: Guarded, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    shared: Tool = request.getfixturevalue(engine)
    tool, certs = alone(shared, tmp_path), guarded.certs
    name = f"{guarded.host}/team/{engine}"
    seed(guarded, f"team/{engine}-in", tmp_path)
    refused(tool, "pull", "--cert-dir", certs, f"{name}-in:1")
    login = ("login", "--cert-dir", certs, "--username", "ana", "--password-stdin", guarded.host)
    refused(tool, *login, stdin=b"wrong password")
    tool.run(*login, stdin=PASSWORD)
    tool.run("pull", "--cert-dir", certs, f"{name}-in:1")
    tool.run("push", "--cert-dir", certs, f"{name}-in:1", f"docker://{name}-out:1")
    assert guarded.has(f"team/{engine}-out")
    other = name.replace("team", "other")
    refused(tool, "push", "--cert-dir", certs, f"{name}-in:1", f"docker://{other}:1")
    tool.run("logout", guarded.host)
    refused(tool, "pull", "--cert-dir", certs, f"{name}-out:1")


def test_docker(guarded: Guarded, docker: Tool, skopeo: Tool, tmp_path: Path) -> None:
    certs = Path("/etc/docker/certs.d") / guarded.host
    certs.mkdir(parents=True)
    try:
        shutil.copy(guarded.ca, certs)
        use_docker(
            guarded, Tool(*docker.command, "--config", str(tmp_path / "docker"), env=docker.env)
        )
    finally:
        shutil.rmtree(certs)
    # docker keeps a token that stands for the password, and other clients can use it.
    kept = json.loads((tmp_path / "docker/config.json").read_text())["auths"][guarded.host]
    assert kept["identitytoken"]
    assert PASSWORD not in base64.b64decode(kept["auth"])
    env = {**skopeo.env, "REGISTRY_AUTH_FILE": str(tmp_path / "docker/config.json")}
    other = Tool(*skopeo.command, env=env)
    name = f"docker://{guarded.host}/team/docker:1"
    assert other.json("inspect", "--raw", "--cert-dir", guarded.certs, name)["schemaVersion"] == 2


def use_docker(guarded: Guarded, docker: Tool) -> None:
    name = f"{guarded.host}/team/docker:1"
    other = f"{guarded.host}/other/docker:1"
    docker.run("import", "-", name, stdin=rootfs())
    docker.run("tag", name, other)
    refused(docker, "push", name)
    login = ("login", "--username", "ana", "--password-stdin", guarded.host)
    refused(docker, *login, stdin=b"wrong password")
    docker.run(*login, stdin=PASSWORD)
    docker.run("push", name)
    docker.run("rmi", name)
    docker.run("pull", name)
    refused(docker, "push", other)
    docker.run("logout", guarded.host)
    docker.run("rmi", name)
    refused(docker, "pull", name)
    docker.run(
        "login", "--username", "ci", "--password-stdin", guarded.host, stdin=guarded.token.encode()
    )
    docker.run("pull", name)
    refused(docker, "push", name)
    docker.run(*login, stdin=PASSWORD)


def test_killick(guarded: Guarded, home: dict[str, str], tmp_path: Path) -> None:
    own = home | {"DOCKER_CONFIG": str(tmp_path / "docker"), "REGISTRY_AUTH_FILE": ""}
    killick, ca = killick_with(tmp_path / "store", own), ("--ca-file", guarded.ca)
    name = f"{guarded.host}/team/killick"
    layout = f"oci:{IMAGE.layout(tmp_path / 'in', '1')}:1"
    refused(killick, "cp", *ca, layout, f"{name}:1")
    login = ("login", *ca, "-u", "ana", "--password-stdin", guarded.host)
    refused(killick, *login, stdin=b"wrong password")
    killick.run(*login, stdin=PASSWORD)
    killick.run("cp", *ca, layout, f"{name}:1")
    assert killick.run("digest", *ca, f"{name}:1") == IMAGE.root.digest
    killick.run("pull", *ca, f"{name}:1")
    assert "ana@" in killick.run("log", "--remote", *ca, f"{name}:1")
    refused(killick, "cp", *ca, layout, f"{guarded.host}/other/killick:1")
    killick.run("logout", guarded.host)
    refused(killick, "digest", *ca, f"{name}:1")
    killick.run(
        "login", *ca, "-u", "ci", "--password-stdin", guarded.host, stdin=guarded.token.encode()
    )
    assert killick.run("digest", *ca, f"{name}:1") == IMAGE.root.digest
    refused(killick, "cp", *ca, layout, f"{name}:2")


def seed(guarded: Guarded, repository: str, tmp_path: Path) -> None:
    """Put the image there, as an administrator."""
    own = {**guarded.command.env, "DOCKER_CONFIG": str(tmp_path / "seeding")}
    killick = Tool(*guarded.command.command, env=own)
    ca = ("--ca-file", guarded.ca)
    killick.run("login", *ca, "-u", "root", "--password-stdin", guarded.host, stdin=PASSWORD)
    layout = IMAGE.layout(tmp_path / "seed", "1")
    killick.run("cp", *ca, f"oci:{layout}:1", f"{guarded.host}/{repository}:1")


def rootfs() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("hello")
        member.size = 6
        archive.addfile(member, io.BytesIO(b"hello\n"))
    return out.getvalue()
