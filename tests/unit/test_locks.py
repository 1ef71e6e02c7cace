"""The locks hold what pyproject.toml asks for, by hash, and say nothing of where it came from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    pinned = (re.match(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ]+)", entry) for entry in entries)
    return {match[1]: match[2] for match in pinned if match}


@pytest.mark.parametrize(
    ("lock", "groups"), [("run.txt", ["build"]), ("dev.txt", ["build", "dev"])]
)
def test_a_lock_holds_what_is_asked_for(lock: str, groups: list[str]) -> None:
    locked = _locked(lock)
    wanted = list(PROJECT["project"]["dependencies"])
    for group in groups:
        wanted += [each for each in PROJECT["dependency-groups"][group] if isinstance(each, str)]
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement}: make lock"
        )


def test_the_development_lock_holds_the_other() -> None:
    assert _locked("run.txt").items() <= _locked("dev.txt").items()


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_a_lock_names_no_host(lock: str) -> None:
    assert "://" not in (ROOT / "requirements" / lock).read_text()
