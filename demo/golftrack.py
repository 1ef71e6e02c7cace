"""Plays the story of golftrack:1.5 with the real command and a real registry.

Everything lives in one temporary folder, removed at the end unless KEEP=1. Where Docker or Podman
can be used, real containers run the images, and the story ends with who runs which.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from engines import COMMAND, Engine, engine

HERE = Path(__file__).parent
KILLICK = [sys.executable, "-m", "killick"]
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
REGISTRY_START_SECONDS = 20


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def tell(text: str) -> None:
    """Print a paragraph of the story."""
    paragraph = textwrap.fill(" ".join(text.split()), 78)
    print("\n" + paint("36", textwrap.indent(paragraph, "# ")), flush=True)


class Stage:
    """A folder with a store and a registry, and a way to run commands on them."""

    def __init__(self, root: Path, engine: Engine | None, reason: str) -> None:
        self.root = root
        self.engine = engine
        self.reason = reason
        self.environment = os.environ | {
            "KILLICK_STORE": str(root / "store"),
            "KILLICK_CONFIG": str(root / "config.toml"),
            "DOCKER_CONFIG": str(root / "docker"),
        }
        self.host = ""
        self._registry: subprocess.Popen[str] | None = None

    def run(self, *words: str) -> str:
        """Show a command, run it, show and return what it prints."""
        print("\n" + paint("1", "$ killick " + " ".join(words)), flush=True)
        done = subprocess.run(
            [*KILLICK, *words],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode != 0:
            sys.exit(f"demo: killick {words[0]} ended with status {done.returncode}")
        return done.stdout

    def quietly(self, *command: str, **environment: str) -> None:
        """Run a command that is not part of the story."""
        subprocess.run(list(command), env=self.environment | environment, check=True)

    def start(self, name: str, image: str) -> None:
        """Start a container, if there is an engine; pull its image before."""
        if self.engine is not None:
            called = self.engine.prefix + name
            shown = f"$ {self.engine.name} run -d --name {called} {image} {' '.join(COMMAND)}"
            print("\n" + paint("1", shown), flush=True)
            if not self.engine.run(name, image):
                print(f"({name} was made, but can't be started here)", flush=True)

    def bring(self, image: str) -> None:
        """Let the engine pull an image."""
        if self.engine is not None:
            print("\n" + paint("1", f"$ {self.engine.name} pull {image}"), flush=True)
            self.engine.pull(image)

    def serve(self) -> None:
        """Start a registry on a free port of loopback."""
        log = self.root / "registry.log"
        words = ["serve", "--addr", "127.0.0.1:0", "--root", str(self.root / "registry")]
        print("\n" + paint("1", "$ killick " + " ".join(words[:3]) + " &"), flush=True)
        with log.open("w") as out:
            self._registry = subprocess.Popen(
                [*KILLICK, *words], env=self.environment, stdout=out, stderr=out, text=True
            )
        deadline = time.monotonic() + REGISTRY_START_SECONDS
        while time.monotonic() < deadline and self._registry.poll() is None:
            if found := re.search(r"http://(127\.0\.0\.1:\d+)", log.read_text()):
                self.host = found[1]
                print(f"the registry is at {self.host}")
                return
            time.sleep(0.05)
        sys.exit(f"demo: the registry did not start:\n{log.read_text()}")

    def stop(self) -> None:
        """Stop the registry, if it runs."""
        if self._registry is not None:
            self._registry.terminate()
            self._registry.wait(timeout=20)


def play(stage: Stage) -> None:
    """Tell the story."""
    tell("A team runs golftrack:1.5. This is its registry, and these are two builds of the image, "
         "one with a critical bug, one with the fix, each for two platforms.")  # fmt: skip
    stage.serve()
    layout = stage.root / "build"
    stage.quietly(sys.executable, str(HERE / "build.py"), LAYOUT=str(layout))
    image = f"{stage.host}/golftrack:1.5"

    tell("The buggy build goes out as 1.5, and production pulls it.")
    stage.run("cp", f"oci:{layout}:buggy", image)
    stage.run("pull", image)
    old = stage.run("digest", image).strip()
    stage.bring(image)
    stage.start("web-1", image)
    stage.start("web-2", image)

    tell("The fix is built and, by mistake, pushed as 1.5 again. Whoever pulls now gets another "
         "image under the same name.")  # fmt: skip
    stage.run("cp", f"oci:{layout}:fixed", image)
    stage.run("pull", image)
    stage.bring(image)
    stage.start("web-3", image)

    tell("With most tools the story ends here: 1.5 is 1.5. Killick knows both by their digests, "
         "and what the tag pointed to before.")  # fmt: skip
    stage.run("images", "--digests", "-a")

    tell("The old image is still there: by its digest, which can't lie, and by the tag's past.")
    stage.run("pull", f"{stage.host}/golftrack@{old}")
    stage.run("pull", f"{image}~1")
    stage.run("inspect", f"{image}~1", "--format", "{{.Digest}}")
    back = "golftrack:before-the-fix"
    stage.run("tag", f"{image}~1", back)

    tell("And this is who moved the name, when, and from which digest to which.")
    stage.run("log", image)
    stage.run("verify", "--all")
    ask_who_runs_what(stage, image)


def ask_who_runs_what(stage: Stage, image: str) -> None:
    """End with the question that it is all for."""
    if stage.engine is None:
        tell("Skipped, as no container engine can be used here: killick where, which shows who "
             "runs the buggy image and who the fixed one.")  # fmt: skip
        print(f"\n({stage.reason})")
        return
    tell(f"There are three containers, and to {stage.engine.name} all three are golftrack:1.5. "
         "Which of them have the bug? The old digest gets an advisory, and Killick looks."
         )  # fmt: skip
    stage.run("flag", f"{image}~1", "--id", "CVE-2026-0018", "--fixed-by", image)
    stage.run("fleet", "add", "web1", stage.engine.url)
    stage.run("ps", "-a")
    stage.run("where", image)


def main() -> None:
    """Play, and clean up."""
    keep = os.environ.get("KEEP") == "1"
    root = Path(tempfile.mkdtemp(prefix="killick-demo-"))
    with engine() as (found, reason):
        stage = Stage(root, found, reason)
        try:
            play(stage)
        finally:
            if not keep:
                stage.stop()
                shutil.rmtree(root)
    if keep:
        tell("Kept, with the registry running. Try next:")
        print(f"\nexport KILLICK_STORE={root}/store")
        print(f"killick tags {stage.host}/golftrack --digests")
        print(f"killick rollback {stage.host}/golftrack:1.5 && killick log {stage.host}/golftrack")
        print(f"# and in the end: pkill -f {root} ; rm -r {root}")
    tell("A tag can be moved. A digest can't lie.")


if __name__ == "__main__":
    main()
