"""The frame of the command line: help, version, errors, exit statuses, start-up."""

import json
import subprocess
import sys

import pytest

from cli_runner import run
from killick import __version__
from killick.cli.app import VERBS

ALL = [verb for verbs in VERBS.values() for verb in verbs]


def test_version_is_one_line():
    assert run("version").out == f"killick {__version__}\n"
    assert run("--version").out == f"killick {__version__}\n"


@pytest.mark.parametrize("words", [("version",), ("--version",)])
# -S: what site imports for this installation is not ours
def test_the_plain_question_for_the_version_imports_next_to_nothing(words):
    code = "import sys; from killick.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *words], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert not modules & {"click", "re", "dataclasses", "typing", "killick.names", "rich"}


def test_help_lists_every_verb_and_imports_none():
    code = (
        "import sys; from killick.cli import main; main(['--help']);"
        "print(*(m for m in sys.modules if m.startswith('killick.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *help_text, modules = done.stdout.splitlines()
    for verb in ALL:
        assert any(line.split()[:1] == [verb] for line in help_text)
    assert not any(name.startswith("killick.cli.commands.") for name in modules.split())
    assert not any(name.startswith(("killick.store", "killick.client")) for name in modules.split())


@pytest.mark.parametrize("verb", ALL)
def test_the_help_of_every_verb_ends_with_examples(verb):
    ran = run(verb, "--help")
    assert ran.status == 0
    assert ran.err == ""
    examples = ran.out.rpartition("Examples:\n")[2].strip().splitlines()
    assert examples
    assert all(not line.strip() or "killick" in line or line.startswith("  ") for line in examples)


def test_an_unknown_verb_and_an_unknown_option_are_wrong_usage():
    ran = run("fetch")
    assert ran.status == 2
    assert ran.out == ""
    assert ran.err == "killick: No such command 'fetch': see killick --help\n"
    assert run("pull", "--nope", "x").status == 2


def test_errors_are_one_sentence_with_what_to_do():
    ran = run("pull", "team/UPPER")
    assert ran.status == 2
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("killick: 'team/UPPER' is not an image reference")
    assert "lower case" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("place", ["before", "behind"])
def test_debug_shows_where_an_error_arose(place):
    words = ["--debug", "pull", "UPPER"] if place == "before" else ["pull", "UPPER", "--debug"]
    assert "Traceback" in run(*words).err


def test_errors_are_json_where_json_is_asked_for():
    ran = run("images", "--nope", "--json")
    assert json.loads(ran.err) == {
        "error": "usage",
        "message": "No such option '--nope'",
        "side": "local",
        "hint": "see killick images --help",
    }


def test_settings_that_nobody_knows_are_refused(home):
    (home / "config.toml").write_text("colour = true\n")
    ran = run("gc")
    assert ran.status == 2
    assert "unknown setting 'colour'" in ran.err
    assert "config.toml" in ran.err


def test_a_reader_that_goes_away_is_no_error():
    code = "import sys; from killick.cli import main; sys.exit(main(['--help']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
