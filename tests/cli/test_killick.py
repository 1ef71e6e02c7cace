"""`killick version`, `help` and `completion`."""

import os
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


def completed(*words):
    """Return what the shell would offer for the last word."""
    done = subprocess.run(
        [sys.executable, "-m", "killick"],
        env=os.environ
        | {
            "_KILLICK_COMPLETE": "bash_complete",
            "COMP_WORDS": "\n".join(["killick", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_the_shell_completes_verbs_and_options():
    assert completed("imag") == ["images"]
    assert completed("images", "--no-t") == ["--no-trunc"]
    assert completed("help", "ver") == ["verify", "version"]


def test_the_shell_completes_local_names_and_digests():
    d = keep(make.multi_platform)
    assert completed("inspect", "golf") == ["golftrack:1.5"]
    assert completed("inspect", str(d.digest)[:12]) == [str(d.digest)]
    assert completed("inspect", d.digest.encoded[:4]) == [d.digest.encoded]
    assert completed("tags", "golf") == ["golftrack"]
    assert completed("inspect", "other") == []
