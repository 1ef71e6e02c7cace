"""A pull that is killed again and again resumes, and ends verified."""

import random
import signal
import subprocess
import time
from pathlib import Path

from compat.images import Image, image
from compat.processes import Tool
from compat.registries import Registry

KILLS = 20
LAYERS = 12
LAYER_BYTES = 4 * 1024 * 1024
PATIENCE_SECONDS = 30


def test_a_pull_killed_at_twenty_random_points_resumes(registry: Registry, killick: Tool) -> None:
    dice = random.Random(7)
    digest = registry.push("killed/app", _big_image(dice), "1")
    name = f"{registry.host}/killed/app:1"
    store = Path(killick.env["KILLICK_STORE"])
    points = sorted(dice.randrange(LAYERS * LAYER_BYTES) for _ in range(KILLS))
    killed = sum(_pull_and_kill(killick, name, store, point) for point in points)
    assert killed >= KILLS // 2, "too few pulls were still at work when they were to be killed"
    killick.run("pull", name)
    killick.run("verify", "--all")
    assert killick.run("digest", "--local", name) == digest


def _pull_and_kill(killick: Tool, name: str, store: Path, point: int) -> bool:
    """Kill a pull when the store holds `point` bytes; return whether it was still at work."""
    process = subprocess.Popen(
        [*killick.command, "pull", "--progress", "none", name],
        env=killick.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and _held(store) < point and time.monotonic() < deadline:
        time.sleep(0.001)
    at_work = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert killick.call("images").returncode == 0, "the store opens, whatever happened"
    return at_work


def _held(store: Path) -> int:
    held = 0
    for path in store.rglob("*"):
        try:
            held += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # it was renamed meanwhile
    return held


def _big_image(dice: random.Random) -> Image:
    return image(*({f"data-{i}": dice.randbytes(LAYER_BYTES)} for i in range(LAYERS)))
