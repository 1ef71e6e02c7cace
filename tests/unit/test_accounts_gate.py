"""The gate: who is let in, what is remembered, and that every change counts at once."""

import os
import stat
import time
from datetime import timedelta

import pytest

import images
from guarding import ALL, PASSWORD, World, basic, bearer, rule, shows
from killick.accounts import Policy, gate, passwords
from killick.accounts.bearer import LIFE
from killick.accounts.register import LOOK_AGAIN
from killick.errors import Denied, StoreDamaged, StoreError, Throttled, Unauthorized
from killick.moments import utc_now
from killick.repository import BLOB_TYPE
from killick.rights import Who

HERE = Who("anonymous", "192.0.2.1")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "registry")


def let_in(world, credentials, gate=None):
    return (gate or world.gate).identify(credentials, HERE)


def test_without_accounts_the_policy_for_that_holds(tmp_path):
    world = World(tmp_path, without=Policy(anonymous=ALL))
    assert world.gate.recall(None) is None  # nothing was read yet
    caller = let_in(world, None)
    assert all(caller.may(need, "a") for need in ("pull", "push", "delete", "list", "login"))
    assert world.gate.recall(None) is caller
    world.add("ana")
    assert world.gate.recall(None) is None
    caller = let_in(world, None)
    assert not any(caller.may(need, "a") for need in ("pull", "push", "delete", "list", "login"))


def test_removing_the_last_account_opens_nothing(tmp_path):
    world = World(tmp_path, without=Policy(anonymous=ALL))
    world.add("ana")
    world.remove("ana")
    assert not let_in(world, None).may("pull", "a")


def test_a_password_lets_in_and_is_remembered(world, monkeypatch):
    world.add("ana")
    caller = let_in(world, basic("ana"))
    assert caller.name == "ana"
    monkeypatch.setattr(passwords, "is_right", None)  # not to be called again
    assert world.gate.recall(basic("ana")) is caller
    world.add("ben", None)
    assert world.gate.recall(basic("ana")) is None
    assert let_in(world, basic("ana")).name == "ana"


@pytest.mark.parametrize(
    "credentials",
    [
        basic("ana", "wrong password"),
        basic("ana", ""),
        basic("ana", PASSWORD + " "),
        basic("ana", PASSWORD + "x" * 80),
        basic("ana", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
        basic("nobody"),
        basic("Ana"),
        basic("anonymous"),
        basic("", ""),
        basic("robot", ""),
        basic("robot", "None"),
        basic("gone"),
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 20_000,
        "Basic YW5h",  # no colon
        "Basic /////w==",  # not UTF-8
        "Bearer",
        "Bearer x",
        "Digest username=ana",
        "",
        "\0",
    ],
)
def test_wrong_credentials_let_nobody_in(world, credentials):
    world.add("ana")
    world.add("robot", None)
    world.add("gone", is_enabled=False)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            let_in(world, credentials)
        assert world.gate.recall(credentials) is None


def test_whoever_it_is_a_password_is_hashed(world, monkeypatch):
    """An account that there is not takes as long as one that there is."""
    import bcrypt

    world.add("ana")
    world.add("robot", None)
    world.add("gone", is_enabled=False)
    hashed, real = [], bcrypt.checkpw

    def counted(password, stored):
        hashed.append((len(password), stored[:7]))
        return real(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for name in ("ana", "nobody", "robot", "gone"):
        with pytest.raises(Unauthorized):
            let_in(world, basic(name, "wrong password"))
    with pytest.raises(Unauthorized):
        let_in(world, basic("ana", "x" * 5000))
    cost = hashed[0][1]
    assert [stored for _, stored in hashed] == [cost] * 5
    assert max(length for length, _ in hashed) <= 72


def test_an_access_token_is_a_password_with_fewer_rights(world):
    world.add("ana", is_admin=True)
    text, token_id = world.token("ana", rights=("pull",), repositories=("team/**",))
    caller = let_in(world, basic("ana", text))
    assert (caller.name, caller.token) == ("ana", token_id)
    assert caller.may("pull", "team/app")
    assert not caller.may("push", "team/app")
    assert not caller.may("pull", "other")
    assert caller.may("list", "team/app")
    assert not caller.may("list", "other")


def test_an_access_token_is_of_its_account(world):
    world.add("ana")
    world.add("ben")
    text, _ = world.token("ana")
    for credentials in (basic("ben", text), basic("nobody", text), basic("ana", text[:-1])):
        with pytest.raises(Unauthorized):
            let_in(world, credentials)


def test_an_access_token_runs_out(tmp_path):
    now = time.time()
    world = World(tmp_path, clock=lambda: now)
    world.add("ana")
    text, _ = world.token("ana", expires=utc_now() + timedelta(minutes=1))
    assert let_in(world, basic("ana", text)).name == "ana"
    assert world.gate.recall(basic("ana", text)) is not None
    now += 61
    assert world.gate.recall(basic("ana", text)) is None
    with pytest.raises(Unauthorized):
        let_in(world, basic("ana", text))


def revocations():
    return {
        "removed": lambda world, token: world.remove("ana"),
        "disabled": lambda world, token: world.change("ana", is_enabled=False),
        "another password": lambda world, token: world.change(
            "ana", password=passwords.hashed("something else"), stamp="another"
        ),
        "token taken back": lambda world, token: world.take_back(token),
    }


@pytest.mark.parametrize("what", revocations())
@pytest.mark.parametrize("how", ["password", "token", "bearer", "bearer by token"])
def test_what_is_taken_back_counts_no_more_on_any_worker(world, what, how):
    world.add("ana")
    world.add("ben")
    text, token_id = world.token("ana")
    client = world.client()
    credentials = {
        "password": basic("ana"),
        "token": basic("ana", text),
        "bearer": bearer(client, basic("ana"), "repository:a:pull"),
        "bearer by token": bearer(client, basic("ana", text), "repository:a:pull"),
    }[how]
    others = [world.gate, world.worker()]
    for one in others:
        assert let_in(world, credentials, one).may("pull", "a")
        assert one.recall(credentials) is not None
    revocations()[what](world, token_id)
    stays = (what, how) in {
        ("token taken back", "password"),
        ("token taken back", "bearer"),
        ("another password", "token"),
    }
    for one in others:
        assert one.recall(credentials) is None
        if stays:
            assert let_in(world, credentials, one).may("pull", "a")
        else:
            with pytest.raises(Unauthorized):
                let_in(world, credentials, one).may("pull", "a")


def test_rights_that_go_go_from_bearer_tokens_too(world):
    world.add("ana", is_admin=True)
    token = bearer(world.client(), basic("ana"), "repository:a:*")
    assert let_in(world, token).may("delete", "a")
    world.change("ana", is_admin=False)
    assert world.gate.recall(token) is None
    caller = let_in(world, token)
    assert caller.may("push", "a")
    assert not caller.may("delete", "a")
    assert isinstance(world.gate.refusal(caller, "delete", "a"), Denied)


def test_what_a_token_was_not_made_for_asks_for_another(world):
    world.add("ana")
    caller = let_in(world, bearer(world.client(), basic("ana"), "repository:a:pull"))
    assert not caller.may("push", "a")
    assert not caller.may("pull", "b")
    assert isinstance(world.gate.refusal(caller, "push", "a"), Unauthorized)
    assert not isinstance(world.gate.refusal(caller, "delete", "a"), Unauthorized)


def test_a_bearer_token_runs_out_where_it_is_remembered(tmp_path):
    now = time.time()
    world = World(tmp_path, clock=lambda: now)
    world.add("ana")
    token = bearer(world.client(), basic("ana"), "repository:a:pull")
    assert let_in(world, token)
    assert world.gate.recall(token) is not None
    now += LIFE["access"].total_seconds() + 1
    assert world.gate.recall(token) is None
    with pytest.raises(Unauthorized):
        let_in(world, token)


def test_rules_take_the_place_of_what_holds_without(tmp_path):
    groups = {"devs": frozenset({"ben"})}
    rules = (
        rule("team-a/**", ["pull", "push"], accounts=["ana", "ci-*"]),
        rule("team-b/*", ["pull"], groups=["devs"]),
    )
    world = World(tmp_path, Policy(rules, groups, public=("public/**",)))
    for name in ("ana", "ben", "ci-1"):
        world.add(name)
    ana, ben, ci = (let_in(world, basic(name)) for name in ("ana", "ben", "ci-1"))
    for caller in (ana, ci):
        assert caller.may("push", "team-a/x/y")
        assert not caller.may("delete", "team-a/x")
        assert not caller.may("pull", "team-a")
        assert not caller.may("pull", "team-b/x")
    assert ben.may("pull", "team-b/x")
    assert not ben.may("pull", "team-b/x/y")
    assert not ben.may("push", "team-b/x")
    nobody = let_in(world, None)
    assert nobody.may("pull", "public/x")
    assert not nobody.may("push", "public/x")
    assert not nobody.may("pull", "team-a/x")


def test_what_is_no_repository_is_an_administrators(world):
    world.add("ana", is_admin=True)
    world.add("ben")
    for right in ("admin", "report"):
        assert let_in(world, basic("ana")).may(right, "")
        assert not let_in(world, basic("ben")).may(right, "")


def test_a_reporter_may_report_and_nothing_else(tmp_path):
    world = World(tmp_path, Policy((rule("**", ["report"], accounts=["scan-*"]),)))
    world.add("scan-1")
    caller = let_in(world, basic("scan-1"))
    assert caller.may("report", "")
    assert not any(caller.may(right, "a") for right in ("pull", "push", "delete", "admin"))


def test_a_damaged_register_lets_nobody_in(world):
    world.add("ana")
    let_in(world, basic("ana"))
    world.place.accounts.write_bytes(world.place.accounts.read_bytes()[:-10])
    time.sleep(LOOK_AGAIN)
    assert world.gate.recall(basic("ana")) is None
    assert world.gate.recall(None) is None
    for credentials in (basic("ana"), None):
        with pytest.raises(StoreDamaged):
            let_in(world, credentials)


def test_a_register_that_can_not_be_read_lets_nobody_in(tmp_path):
    world = World(tmp_path, without=Policy(anonymous=ALL))
    world.add("ana")
    let_in(world, None)
    world.place.accounts.unlink()
    world.place.accounts.symlink_to(world.place.accounts)
    time.sleep(LOOK_AGAIN)
    assert world.gate.recall(None) is None
    with pytest.raises(StoreError):
        let_in(world, None)


def test_a_register_that_appears_and_can_not_be_read_lets_nobody_in(tmp_path):
    world = World(tmp_path, without=Policy(anonymous=ALL))
    assert let_in(world, None).may("pull", "a")
    world.place.make()
    world.place.accounts.symlink_to(world.place.accounts)
    time.sleep(LOOK_AGAIN)
    assert world.gate.recall(None) is None
    with pytest.raises(StoreError):
        let_in(world, None)


def test_memory_is_bounded(world, monkeypatch):
    monkeypatch.setattr(gate, "MOST_REMEMBERED", 3)
    world.add("ana")
    texts = [world.token("ana")[0] for _ in range(5)]
    for text in texts:
        let_in(world, basic("ana", text))
    assert world.gate.recall(basic("ana", texts[0])) is None
    assert world.gate.recall(basic("ana", texts[-1])) is not None


def test_what_is_remembered_does_not_hold_the_password(world):
    world.add("ana")
    let_in(world, basic("ana"))
    held = repr(vars(world.gate)) + repr(world.gate._view) + repr(world.gate._proofs)
    for secret in (PASSWORD, basic("ana"), basic("ana")[6:]):
        assert secret not in held


def test_files_are_their_owners_alone(world):
    umask = os.umask(0)
    try:
        world.add("ana")
        bearer(world.client(), basic("ana"))
        with pytest.raises(Unauthorized):
            let_in(world, basic("ana", "wrong password"))
    finally:
        os.umask(umask)
    folder = world.place.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} >= {"accounts.json", "keys.json", "tries.db"}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_audit_log_tells_of_logins(world):
    world.add("ana")
    text, token_id = world.token("ana")
    let_in(world, basic("ana"))
    let_in(world, basic("ana", text))
    for name in ("ana", PASSWORD):
        with pytest.raises(Unauthorized):
            let_in(world, basic(name, "wrong password"))
    told = [(e["event"], e["actor"], e["from"], e.get("token")) for e in world.log]
    assert told == [
        ("login", "ana", "192.0.2.1", None),
        ("login", "ana", "192.0.2.1", token_id),
        ("login-failed", "ana", "192.0.2.1", None),
        ("login-failed", "unknown", "192.0.2.1", None),
    ]


def test_too_many_wrong_passwords_have_to_wait(world):
    world.add("ana")
    for _ in range(5):
        with pytest.raises(Unauthorized):
            let_in(world, basic("ana", "wrong password"))
    with pytest.raises(Throttled) as caught:
        let_in(world, basic("ana"))
    assert caught.value.wait == 1
    with pytest.raises(Throttled):
        let_in(world, basic("ana"), world.worker())
    assert len(world.events("throttled")) == 2
    elsewhere = Who("anonymous", "198.51.100.7")
    assert world.gate.identify(basic("ana"), elsewhere).name == "ana"
    # Who is remembered goes on, whatever others try from the same address.
    assert world.gate.recall(basic("ana")) is not None


def test_who_mounts_is_led_to_a_token_for_both_repositories(tmp_path):
    rules = (rule("target", ["pull", "push"], ["mate"]), rule("source", ["pull"], ["mate"]))
    world = World(tmp_path, Policy(rules))
    world.add("mate")
    blob = images.put(world.registry.repository("source"), BLOB_TYPE, b"layer")
    client = world.client()
    path = f"/v2/target/blobs/uploads/?mount={blob.digest}&from="
    both = 'scope="repository:target:pull,push repository:source:pull"'
    refused = client.post(path + "source")
    assert refused.status_code == 401
    assert both in refused.headers["www-authenticate"]
    narrow = bearer(client, basic("mate"), "repository:target:pull,push")
    refused = client.post(path + "source", headers=shows(narrow))
    assert refused.status_code == 401
    assert both in refused.headers["www-authenticate"]
    scopes = ("repository:target:pull,push", "repository:source:pull")
    wide = bearer(client, basic("mate"), *scopes)
    assert client.post(path + "source", headers=shows(wide)).status_code == 201
    other = images.put(world.registry.repository("secret"), BLOB_TYPE, b"other")
    unseen = f"/v2/target/blobs/uploads/?mount={other.digest}&from=secret"
    for credentials in (narrow, wide, basic("mate")):
        assert client.post(unseen, headers=shows(credentials)).status_code == 202
    odd = client.post(path + 'x"y')
    assert odd.headers["www-authenticate"].count("repository:") == 1
