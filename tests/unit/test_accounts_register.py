"""The register, its form, its place, passwords, rules and the audit log."""

import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarding import USUAL_COST
from killick.accounts import (
    AccessToken,
    Account,
    Audit,
    Directory,
    FileSink,
    Place,
    Policy,
    Register,
    Rule,
    check_name,
    check_password,
    form,
    hashed,
    mint,
    passwords,
)
from killick.accounts import register as accounts_register
from killick.errors import Conflict, LimitExceeded, NotFound, StoreDamaged, UsageError
from killick.rights import RIGHTS, Who, check_pattern, fits

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ANA = Account("ana", NOON, "$2b$04$x", is_admin=True)
TOKEN = AccessToken(
    "t1", "ana", "build", NOON, "d" * 64, NOON + timedelta(days=1), ("pull",), ("a/**",)
)
BOTH = Directory({"ana": ANA}, {"t1": TOKEN})


def test_a_directory_comes_back_the_same():
    bare = Account("ben", NOON, None, is_enabled=False)
    directory = BOTH.with_new(bare).with_token(replace(TOKEN, id="t2", expires=None))
    assert form.read(form.written(directory), "it") == directory


def changed(**fields):
    value = json.loads(form.written(BOTH))
    for path, new in fields.items():
        *parents, key = path.split("__")
        inner = value
        for parent in parents:
            inner = inner[int(parent) if parent.isdigit() else parent]
        inner[key] = new
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        changed(version=2),
        changed(extra=1),
        changed(accounts={}),
        changed(accounts__0__extra="x"),
        changed(accounts__0__admin="true"),
        changed(accounts__0__admin=1),
        changed(accounts__0__name="ANA"),
        changed(accounts__0__name="anonymous"),
        changed(accounts__0__password=1),
        changed(accounts__0__password=""),
        changed(accounts__0__created="then"),
        changed(accounts__0__stamp=None),
        changed(tokens__0__account="ben"),
        changed(tokens__0__rights=["pull", "all"]),
        changed(tokens__0__rights="pull"),
        changed(tokens__0__repositories=[1]),
        changed(tokens__0__expires=0),
        form.written(BOTH)[:-20],
        form.written(BOTH).replace(b'"name"', b'"name": "x", "name"'),
        json.dumps(
            {"version": 1, "accounts": json.loads(form.written(BOTH))["accounts"] * 2, "tokens": []}
        ).encode(),
    ],
)
def test_what_is_not_understood_is_refused_whole(data):
    with pytest.raises(StoreDamaged) as caught:
        form.read(data, "it")
    assert "$2b$" not in str(caught.value)
    assert caught.value.hint


def test_edits():
    directory = Directory().with_new(ANA).with_token(TOKEN)
    assert directory == BOTH
    with pytest.raises(Conflict):
        BOTH.with_new(ANA)
    for edit in (
        lambda: BOTH.without("ben"),
        lambda: BOTH.without_token("t2"),
        lambda: BOTH.with_changed(replace(ANA, name="ben")),
        lambda: BOTH.with_token(replace(TOKEN, account="ben")),
    ):
        with pytest.raises(NotFound):
            edit()
    assert BOTH.without("ana") == Directory()
    assert BOTH.without_token("t1") == Directory({"ana": ANA})


def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr("killick.accounts.directory.MOST_ENTRIES", 1)
    with pytest.raises(LimitExceeded):
        BOTH.with_new(replace(ANA, name="ben"))
    with pytest.raises(LimitExceeded):
        BOTH.with_token(replace(TOKEN, id="t2"))


@pytest.mark.parametrize("name", ["a", "ana", "ci-1", "a.b_c-d", "0", "a" * 64])
def test_names(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "a:b", "-a", "a-", "a..b", "a/b", "é", "a\n", "a" * 65, "anonymous", "*"],
)
def test_bad_names(name):
    with pytest.raises(UsageError):
        check_name(name)


# The file


def test_changes_of_many_are_all_kept(tmp_path):
    registers = [Register(Place(tmp_path)) for _ in range(4)]

    def add(number):
        for step in range(5):
            account = Account(f"u{number}-{step}", NOON)
            registers[number].change(lambda directory, a=account: directory.with_new(a))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registers[0].read().directory.accounts) == 20


def test_every_change_has_a_stamp_of_its_own(tmp_path):
    """Also those so quick that no clock tells them apart, and of one length."""
    register, looker = Register(Place(tmp_path)), Register(Place(tmp_path))
    register.change(lambda directory: directory.with_new(ANA))
    for number in range(200):
        version = looker.read()
        assert looker.stamp() == version.stamp
        stamp = f"{number:016x}"
        register.change(lambda d, s=stamp: d.with_changed(replace(ANA, stamp=s)))
        assert looker.stamp() != version.stamp


def test_a_change_is_known_to_all_when_it_returns(tmp_path):
    """However lately they have looked."""
    register, looker = Register(Place(tmp_path)), Register(Place(tmp_path))
    assert looker.lately() is None
    register.change(lambda directory: directory.with_new(ANA))
    for number in range(20):
        assert looker.lately() == looker.stamp()
        stamp = f"{number:016x}"
        register.change(lambda d, s=stamp: d.with_changed(replace(ANA, stamp=s)))
        assert looker.lately() == looker.stamp()


def test_between_two_looks_nothing_is_asked_of_the_disk(tmp_path, monkeypatch):
    register = Register(Place(tmp_path))
    register.change(lambda directory: directory.with_new(ANA))
    known = register.lately()
    monkeypatch.setattr(Register, "stamp", lambda _: pytest.fail("it was looked at"))
    monkeypatch.setattr(accounts_register, "LOOK_AGAIN", 60.0)
    assert register.lately() == known


def test_a_later_file_can_not_pass_for_an_earlier_one(tmp_path):
    """Its inode is not used again while it is remembered, whatever its time and size say."""
    register, looker = Register(Place(tmp_path)), Register(Place(tmp_path))
    register.change(lambda directory: directory.with_new(ANA))
    version, before = looker.read(), Place(tmp_path).accounts.stat()
    for number in range(1, 40):
        stamp = f"{number:016x}"
        register.change(lambda d, s=stamp: d.with_changed(replace(ANA, stamp=s)))
        os.utime(Place(tmp_path).accounts, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert looker.stamp() != version.stamp
    looker.close()


def test_a_change_that_fails_changes_nothing(tmp_path):
    register = Register(Place(tmp_path))
    register.change(lambda directory: directory.with_new(ANA))
    before = register.read()
    with pytest.raises(Conflict):
        register.change(lambda directory: directory.with_new(ANA))
    assert register.read() == before
    assert sorted(path.name for path in tmp_path.joinpath("access").iterdir()) == [
        "accounts.json",
        "lock",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_is_the_owners_of_the_root(tmp_path):
    root = tmp_path / "registry"
    root.mkdir()
    os.chown(root, 1234, 1234)
    Register(Place(root)).change(lambda directory: directory.with_new(ANA))
    Audit(FileSink(Place(root).audit, Place(root))).record("x", Who("a", "b"), {})
    for path in (root / "access", *root.joinpath("access").iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234), path


# Passwords


def test_passwords_are_bcrypt(monkeypatch):
    monkeypatch.setattr(passwords, "COST", 4)
    stored = hashed("correct horse")
    assert stored.startswith("$2b$04$")
    assert passwords.is_right("correct horse", stored)
    assert not passwords.is_right("correct horsf", stored)
    assert not passwords.is_right("correct horse", None)
    assert not passwords.is_right("correct horse", "no hash")


def test_the_usual_cost_is_twelve():
    assert USUAL_COST == 12


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 73, "é" * 37, "with\0nul-byte", "killick_0123456789ab_x"]
)
def test_what_is_no_password_is_refused_without_being_repeated(password):
    with pytest.raises(UsageError) as caught:
        check_password(password)
    assert not password or password not in str(caught.value) + str(caught.value.hint)


def test_two_passwords_that_begin_alike_are_two(monkeypatch):
    """bcrypt looks at 72 bytes: what is longer must not pass for what is there cut."""
    monkeypatch.setattr(passwords, "COST", 4)
    stored = hashed("x" * 72)
    assert passwords.is_right("x" * 72, stored)
    for longer in ("x" * 73, "x" * 5000, "x" * 72 + "\0"):
        assert not passwords.is_right(longer, stored)


def test_access_tokens_are_long_and_known_by_their_id():
    first, second = mint(), mint()
    assert first.text.startswith("killick_")
    assert len(first.text.rpartition("_")[2]) >= 40 or "_" in first.text[21:]
    assert passwords.token_id_of(first.text) == first.id != second.id
    assert passwords.is_token(first.text, first.digest)
    assert not passwords.is_token(second.text, first.digest)
    assert first.text not in first.digest


# Rules


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("**", ["a", "a/b", ""], []),
        ("a", ["a"], ["a/b", "b", ""]),
        ("a/*", ["a/b"], ["a", "a/b/c", "b/a"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab/c"]),
        ("**/app", ["x/app", "x/y/app"], ["app", "x/app/y"]),
        ("*-dev", ["a-dev"], ["a/b-dev", "a-devs"]),
        ("a.b", ["a.b"], ["axb"]),
    ],
)
def test_patterns(pattern, fitting, others):
    assert all(fits(pattern, name) for name in fitting)
    assert not any(fits(pattern, name) for name in others)


@pytest.mark.parametrize("pattern", ["", "A/*", "a?", "a b", "[a]", "a" * 256, "*" * 9, "a\n"])
def test_bad_patterns(pattern):
    with pytest.raises(UsageError):
        check_pattern(pattern)


@given(st.text(alphabet="ab/*", min_size=1, max_size=12), st.text(alphabet="ab/", max_size=12))
def test_patterns_match_as_a_slow_model_does(pattern, name):
    def model(p, n):
        if not p:
            return not n
        if p.startswith("**"):
            return any(model(p[2:], n[i:]) for i in range(len(n) + 1))
        if p.startswith("*"):
            ends = [i for i in range(len(n) + 1) if "/" not in n[:i]]
            return any(model(p[1:], n[i:]) for i in ends)
        return bool(n) and n[0] == p[0] and model(p[1:], n[1:])

    assert fits(pattern, name) == model(pattern, name)


@pytest.mark.parametrize(
    "words",
    [
        ([], ["pull"], ["ana"], []),
        (["a"], [], ["ana"], []),
        (["a"], ["pull"], [], []),
        (["a"], ["pull", "everything"], ["ana"], []),
        (["A"], ["pull"], ["ana"], []),
        (["a"], ["pull"], ["Ana"], []),
        (["a"], ["list"], ["ana"], []),
    ],
)
def test_bad_rules(words):
    with pytest.raises(UsageError):
        Rule.stated(*words)


def test_a_rule_names_groups_that_there_are():
    with pytest.raises(UsageError, match="devs"):
        Policy((Rule.stated(["a"], ["pull"], (), ["devs"]),))


def test_without_rules_accounts_pull_and_push():
    user, admin, gone = Account("u", NOON), replace(ANA), replace(ANA, is_enabled=False)
    policy = Policy()
    assert [right for right in RIGHTS if policy.allows(user, right, "a")] == ["pull", "push"]
    assert [right for right in RIGHTS if policy.allows(user, right, "")] == []
    assert all(policy.allows(admin, right, place) for right in RIGHTS for place in ("a", ""))
    assert not any(policy.allows(gone, right, "a") for right in RIGHTS)
    assert not any(policy.allows_anonymous(right, "a") for right in RIGHTS)


# The audit log


def test_the_audit_log_is_appended_to_by_many(tmp_path):
    path = tmp_path / "audit.jsonl"
    logs = [Audit(FileSink(path), lambda: NOON) for _ in range(4)]
    who = Who("ana", "192.0.2.1", "r1")

    def write(log):
        for number in range(50):
            log.record("x", who, {"number": number, "text": "é\n" * 100})

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 200
    assert lines[0] == {
        "time": "2026-11-01T12:00:00.000000Z",
        "event": "x",
        "actor": "ana",
        "from": "192.0.2.1",
        "request": "r1",
        "number": lines[0]["number"],
        "text": "é\n" * 100,
    }


def test_the_audit_log_follows_rotation_and_bounds_texts(tmp_path):
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))
    audit.record("one", Who("a", "b"), {"text": "x" * 5000})
    path.rename(tmp_path / "old")
    audit.record("two", Who("a", "b"), {})
    assert json.loads(path.read_text())["event"] == "two"
    assert len((tmp_path / "old").read_text()) < 1300


def test_an_audit_log_that_can_not_be_written_is_told(tmp_path, caplog):
    Audit(FileSink(tmp_path / "missing" / "audit.jsonl")).record("x", Who("a", "b"), {})
    assert "the audit log can't be written" in caplog.text
