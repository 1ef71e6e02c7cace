"""A pull that is killed again and again resumes, and ends verified."""

import random
import signal
import subprocess
import time

from compat.images import Image, image
from compat.processes import Tool
from compat.registries import Registry

KILLS = 20
LAYERS = 12
LAYER_BYTES = 4 * 1024 * 1024


def test_a_pull_killed_at_twenty_random_points_resumes(registry: Registry, killick: Tool) -> None:
    dice = random.Random(7)  # the same points every time, as far as the machine allows
    whole = _big_image(dice)
    digest = registry.push("killed/app", whole, "1")
    name = f"{registry.host}/killed/app:1"
    killed = 0
    for _ in range(KILLS):
        killed += _pull_and_kill(killick, name, dice.uniform(0.1, 0.7))
        assert killick.call("images").returncode == 0  # whatever happened, the store opens
    killick.run("pull", name)
    killick.run("verify", "--all")
    assert killick.run("digest", "--local", name) == digest
    assert killed >= KILLS // 4, "too few pulls were still at work when they were to be killed"


def _pull_and_kill(killick: Tool, name: str, after: float) -> bool:
    process = subprocess.Popen(
        [*killick.command, "pull", "--progress", "none", name],
        env=killick.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    at_work = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return at_work


def _big_image(dice: random.Random) -> Image:
    return image(*({f"data-{i}": dice.randbytes(LAYER_BYTES)} for i in range(LAYERS)))
