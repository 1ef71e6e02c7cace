"""`killick version`, `help` and `completion`."""

import shutil
import subprocess
import sys

import pytest

import images as make
from cli_runner import run
from killick import __version__
from local_store import keep


def test_version_says_more_when_asked():
    found = run("version", "--json").json
    assert found["Version"] == __version__
    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert "/" in found["Platform"]
    assert run("version", "--format", "{{.Version}}").out == f"{__version__}\n"
    assert run("version", "--format", "{{.Nope}}").status == 2


def test_help_of_a_command_is_its_help():
    ran = run("help", "images")
    assert ran.status == 0
    assert ran.out == run("images", "--help").out
    assert run("help").out == run("--help").out
    assert run("help", "nope").status == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    ran = run("completion", shell)
    assert ran.status == 0
    assert "_KILLICK_COMPLETE" in ran.out
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=ran.raw, check=True)


def test_an_unknown_shell_is_wrong_usage():
    assert run("completion", "tcsh").status == 2


@pytest.fixture
def completed(monkeypatch):
    """A function that returns what the shell would offer for the last of some words."""

    def complete(*words):
        monkeypatch.setenv("_KILLICK_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["killick", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        ran = run()
        assert (ran.status, ran.err) == (0, "")
        return [line.partition(",")[2] for line in ran.lines if line]

    return complete


def test_the_shell_completes_verbs_and_options(completed):
    assert completed("imag") == ["images"]
    assert completed("images", "--no-t") == ["--no-trunc"]
    assert completed("help", "ver") == ["verify", "version"]


def test_the_shell_completes_local_names_and_digests(completed):
    d = keep(make.multi_platform)
    assert completed("inspect", "golf") == ["golftrack:1.5"]
    assert completed("inspect", str(d.digest)[:12]) == [str(d.digest)]
    assert completed("inspect", d.digest.encoded[:4]) == [d.digest.encoded]
    assert completed("tags", "golf") == ["golftrack"]
    assert completed("inspect", "other") == []


def test_a_store_that_can_not_be_read_completes_to_nothing(completed, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("KILLICK_STORE", str(tmp_path / "file"))
    assert completed("inspect", "golf") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_itself_completes_names_with_colons(home):
    """bash fills COMP_WORDS, the script asks killick, and COMPREPLY has the answer."""
    keep(make.multi_platform)
    program = home / "killick"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m killick "$@"\n')
    program.chmod(0o755)
    script = run("completion", "bash").out + (
        "\nCOMP_WORDS=(killick inspect golftrack:1); COMP_CWORD=2"
        f"\n_killick_completion {program}"
        '\nprintf "%s\\n" "$COMP_WORDBREAKS" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "golftrack:1.5"
    assert ":" not in done.stdout.removesuffix("golftrack:1.5\n")
