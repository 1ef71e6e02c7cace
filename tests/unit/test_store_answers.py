"""What the database answered is remembered until something is committed to it, and no longer."""

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from killick.store import Store, answers, walindex
from killick.store.answers import Answers

QUERY = "SELECT head FROM repository WHERE name = ? AND ? = ''"
ADD = "INSERT INTO repository (name, head) VALUES (?, ?)"
SET = "UPDATE repository SET head = ? WHERE name = ?"
ONE = "team/app"

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where memory is mapped")


@pytest.fixture
def base(tmp_path):
    with Store(tmp_path / "store") as opened:
        database = opened._context.database
        with database.writing() as connection:
            connection.execute(ADD, (ONE, "first"))
        yield database


@pytest.fixture
def asked(base):
    """Answers, and the statements that SQLite was given for them."""
    made = Answers(base)
    made.statements = []
    made._connection.set_trace_callback(made.statements.append)
    with closing(made):
        yield made


def head(asked, name=ONE):
    row = asked.row(QUERY, (name, ""))
    return row and row[0]


def put(base, value, name=ONE):
    with base.writing() as connection:
        connection.execute(SET, (value, name))


@linux
def test_the_same_question_is_asked_once(asked):
    assert [head(asked) for _ in range(9)] == ["first"] * 9
    assert len(asked.statements) == 2  # SQLite's memory is found after the first


def test_a_commit_is_seen_at_once(base, asked):
    for number in range(50):
        put(base, f"v{number}")
        assert [head(asked) for _ in range(3)] == [f"v{number}"] * 3


def test_a_commit_of_another_process_is_seen_at_once(base, asked):
    program = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"for line in sys.stdin: c.execute({SET!r}, (line.strip(), {ONE!r})); print('done')\n"
    )
    command = [sys.executable, "-u", "-c", program, str(base.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as other:
        for number in range(20):
            assert head(asked) == head(asked) == (f"v{number - 1}" if number else "first")
            other.stdin.write(f"v{number}\n")
            assert other.stdout.readline() == "done\n"
            assert head(asked) == f"v{number}"
        other.stdin.close()


def test_what_is_not_committed_is_not_seen(base, asked):
    assert head(asked) == "first"
    with base.writing() as connection:
        connection.execute(SET, ("second", ONE))
        assert head(asked) == "first"
    assert head(asked) == "second"
    with pytest.raises(ZeroDivisionError), base.writing() as connection:
        connection.execute(SET, ("never", ONE))
        raise ZeroDivisionError
    assert head(asked) == "second"


def test_an_answer_from_before_a_commit_is_not_remembered_as_one_from_after(base):
    class Slow(Answers):
        """Who was overtaken by another, once SQLite had answered."""

        def rows(self, query, values):
            found = super().rows(query, values)
            put(base, "second")
            return found

    with closing(Slow(base)) as slow:
        head(slow)
        put(base, "other")
        assert head(slow) == "other"
        assert head(slow) == "second"


def test_nothing_is_remembered_of_what_is_not_there(base, asked):
    assert head(asked, "new/one") is None
    with base.writing() as connection:
        connection.execute(ADD, ("new/one", "here"))
    assert head(asked, "new/one") == "here"


def test_little_is_remembered(base, asked, monkeypatch):
    monkeypatch.setattr(answers, "MOST_ROWS", 10)
    names = [f"r{number}" for number in range(40)]
    with base.writing() as connection:
        connection.executemany(ADD, [(name, name) for name in names])
    assert [head(asked, name) for name in names * 2] == names * 2
    assert len(asked._rows) <= 10


def test_where_no_memory_is_found_the_database_is_asked_each_time(base, asked, monkeypatch):
    monkeypatch.setattr(walindex, "_MAPS", Path("/nothing/here"))
    assert [head(asked) for _ in range(3)] == ["first"] * 3
    put(base, "second")
    assert head(asked) == "second"
    assert len(asked.statements) == 4


@linux
@pytest.mark.parametrize("name", ["with blank", "(deleted)", "new\nline", "ä", "\udcff", "a\\012"])
def test_memory_is_found_or_not_looked_at_whatever_the_folder_is_called(tmp_path, name):
    """Where a name has the end of a line, the database is asked each time."""
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "x.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        found = walindex.of(path)
        assert (found is None) == ("\n" in name)
        if found is None:
            return
        before = found.state()
        assert walindex.stands(before)
        connection.execute("INSERT INTO t VALUES (1)")
        assert found.state() != before


def test_a_closed_one_gives_nothing_that_it_remembers(base, asked):
    head(asked)
    head(asked)
    asked.close()
    with pytest.raises(sqlite3.Error):
        head(asked)


class Histories(RuleBasedStateMachine):
    """Whatever others do to the database, the answer is what stands in it."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "store")
        self.base = self.store._context.database
        self.asked = Answers(self.base)
        self.heads = dict.fromkeys("ab", "first")
        self.writer = self.connect()
        for name in self.heads:
            self.writer.execute(ADD, (name, "first"))

    def connect(self):
        return sqlite3.connect(self.base.path, isolation_level=None)

    @rule(name=st.sampled_from("ab"))
    def ask(self, name):
        assert head(self.asked, name) == self.heads[name]

    @rule(name=st.sampled_from("ab"), value=st.sampled_from(["x", "y", "first"]))
    def write(self, name, value):
        self.writer.execute(SET, (value, name))
        self.heads[name] = value

    @rule(name=st.sampled_from("ab"))
    def roll_back(self, name):
        self.writer.execute("BEGIN IMMEDIATE")
        self.writer.execute(SET, ("never", name))
        self.ask(name)
        self.writer.execute("ROLLBACK")

    @rule(how=st.sampled_from(["PASSIVE", "FULL", "RESTART", "TRUNCATE"]))
    def carry_over(self, how):
        self.writer.execute(f"PRAGMA wal_checkpoint({how})")

    @rule()
    def come_back(self):
        self.writer.close()
        self.writer = self.connect()

    @rule()
    def ask_anew(self):
        self.asked.close()
        self.asked = Answers(self.base)

    @rule()
    def pack(self):
        self.writer.execute("VACUUM")

    def teardown(self):
        if hasattr(self, "folder"):
            self.asked.close()
            self.writer.close()
            self.store.close()
            self.folder.cleanup()


TestHistories = Histories.TestCase
