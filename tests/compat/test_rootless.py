"""Podman as a user without rights runs it: golftrack:1.5 moves, and who runs what is told."""

from pathlib import Path

from compat.engines import Engine, claims, runnable, seen
from compat.processes import Tool, killick_with
from compat.registries import Registry

OLD, NEW = runnable("rootless, with the bug"), runnable("rootless, with the fix")


def test_before_and_after_the_move(
    on_rootless_podman: Engine, served: Registry, home: dict[str, str], tmp_path: Path
) -> None:
    podman = on_rootless_podman
    assert podman.tool.run("info", "--format", "{{.Host.Security.Rootless}}") == "true"
    tag = f"{served.host}/rootless/golftrack:1.5"
    identifiers = {}
    for name, made in (("r-old", OLD), ("r-new", NEW)):
        served.push("rootless/golftrack", made, "1.5")
        podman.tool.run("pull", "--tls-verify=false", tag)
        identifiers[name] = podman.run(name, tag)
    told = claims(seen(podman.url, identifiers["r-old"]))
    assert told["container.ImageDigest"] == [OLD.root.digest]
    assert "image.RepoDigests" not in told
    command: Tool = killick_with(tmp_path / "store", home)
    rows = command.json("where", tag, "--host", podman.url, "--json")["digests"]
    found = {c["name"]: (row["digest"], c["status"]) for row in rows for c in row["containers"]}
    assert found == {
        "r-old": (OLD.root.digest, "behind"),
        "r-new": (NEW.root.digest, "current"),
    }


def test_the_users_own_socket_is_among_the_usual_ones(
    on_rootless_podman: Engine, home: dict[str, str], tmp_path: Path
) -> None:
    socket = Path(on_rootless_podman.url.removeprefix("unix://"))
    place = tmp_path / "podman"
    place.mkdir()
    (place / "podman.sock").symlink_to(socket)
    settings = {"XDG_RUNTIME_DIR": str(tmp_path), "KILLICK_CONFIG": str(tmp_path / "config.toml")}
    command = killick_with(tmp_path / "store", home | settings)
    hosts = [line.split()[0] for line in command.run("scan").splitlines()[1:]]
    assert any(host.endswith("/podman/podman.sock") for host in hosts)
