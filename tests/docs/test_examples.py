"""Every `console` block in the documentation is typed again, and must print the same.

A page's blocks are one session, in a fresh store, with a registry at hand in place of the
127.0.0.1:5000 that the pages write, and with golftrack built twice in `oci:build`. Examples show
standard output; what can't be the same twice (digests, times, sizes, users) is compared by form.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.processes import clean_environment, daemon, free_port, listens

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN_HOST = "127.0.0.1:5000"
WRITTEN_DIGESTS = {
    "buggy": "2e958b9fc057477ac39e6f9c1bc3e66cd11434d8f061af538d273ebcd30af6c3",
    "fixed": "3c86a146a950352d5df42f11b5bfb971b28e839e6361e100d16cab8ef4bdca30",
}
"""What the pages write for the two builds; another machine builds others."""

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FORMS = [
    (re.compile(r"[0-9a-f]{12,128}"), "HEX"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (
        re.compile(
            r"(\d+|an?|About an?|Less than a) (second|minute|hour|day|week|month|year)s?( ago)?"
        ),
        "AGE",
    ),
    (re.compile(r"\d+(\.\d+)?\s?[kMG]?i?B\b(/s)?"), "SIZE"),
    (re.compile(r"size: \d+"), "size: N"),
    (re.compile(r"\S+@[a-z]\S+ +authoritative"), "WHO"),
    (re.compile(r"[ \t]+"), " "),
]


def sessions() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        blocks = _BLOCK.findall(page.read_text())
        if blocks:
            found.append((page.relative_to(ROOT).as_posix(), blocks))
    return found


@pytest.fixture
def session(tmp_path: Path) -> Iterator[dict[str, str]]:
    host = f"127.0.0.1:{free_port()}"
    env = clean_environment() | {
        "HOME": str(tmp_path),
        "KILLICK_STORE": str(tmp_path / "store"),
        "KILLICK_CONFIG": str(tmp_path / "config.toml"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "PYTHONPATH": str(ROOT / "src"),
        "KILLICK_TEST_HOST": host,
        "LAYOUT": str(tmp_path / "build"),
        "COLUMNS": "200",
    }
    subprocess.run([sys.executable, str(ROOT / "demo/build.py")], env=env, check=True)
    command = [sys.executable, "-m", "killick", "serve", "--addr", host]
    with daemon(
        [*command, "--root", str(tmp_path / "registry")],
        ready=lambda: listens(int(host.rpartition(":")[2])),
        log=tmp_path / "registry.log",
        env=env,
    ):
        yield env


@pytest.mark.parametrize(("page", "blocks"), sessions(), ids=lambda value: str(value)[:30])
def test_the_examples_of_a_page_print_what_it_says(
    page: str, blocks: list[str], session: dict[str, str]
) -> None:
    for block in blocks:
        for command, expected in steps(block):
            printed = run(command, session)
            assert form(printed) == form(expected), f"{page}: $ {command}\n{printed}"


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Split a block into commands (`$ …`) and what each prints."""
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        yield command, expected


def run(command: str, env: dict[str, str]) -> str:
    """Type a command as a person would, but for the place of the registry."""
    command = command.replace(WRITTEN_HOST, env["KILLICK_TEST_HOST"])
    for build, actual in builds(Path(env["LAYOUT"])).items():
        command = command.replace(WRITTEN_DIGESTS[build], actual)
    words = shlex.split(command, comments=True)
    assert words[0] == "killick", f"only killick is typed in examples, not {words[0]}"
    done = subprocess.run(
        [sys.executable, "-m", "killick", *words[1:]],
        env=env,
        cwd=env["HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stderr}"
    return done.stdout.replace(env["KILLICK_TEST_HOST"], WRITTEN_HOST)


def builds(layout: Path) -> dict[str, str]:
    """Return the digests, without their algorithm, of what was built, by tag."""
    listed = json.loads((layout / "index.json").read_text())["manifests"]
    name = "org.opencontainers.image.ref.name"
    return {d["annotations"][name]: d["digest"].partition(":")[2] for d in listed}


def form(text: str) -> str:
    """What must be the same each time."""
    for pattern, name in _FORMS:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_the_readme_has_examples() -> None:
    assert any(page == "README.md" for page, _ in sessions())


@pytest.mark.parametrize("page", sorted({*PAGES, *ROOT.glob("[A-Z]*.md")}), ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
