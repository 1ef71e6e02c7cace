"""Who may report under which names of hosts: the first account, unless a rule says otherwise."""

import json
from datetime import UTC, datetime

import pytest

from guarding import PASSWORD, World
from killick import inventory
from killick.accounts import Policy, Rule
from killick.errors import UsageError
from killick.memory import MemoryRegistry
from killick.observation import Snapshot
from killick.rights import ANONYMOUS
from killick.server.configuration import load
from killick.server.reporters import ReporterRule, Reporters

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULE = ReporterRule(("web-*", "Build 7"), ("host-*",))


@pytest.fixture
def world(tmp_path):
    policy = Policy((Rule.stated(["**"], ["report"], ["*"]),))
    made = World(tmp_path, policy=policy)
    for name in ("host-1", "host-2", "ci"):
        made.add(name)
    return made


def told(world, account, host, **options):
    """Return the status of a report of a host, and the error that came with it."""
    body = json.dumps(inventory.to_json(Snapshot(host, "docker", NOON)))
    client = world.client(**options)
    answer = client.post("/v2/_killick/reports", content=body, auth=(account, PASSWORD))
    return answer.status_code, (answer.json().get("errors") or [{}])[0].get("message", "")


def test_a_name_belongs_to_who_reports_it_first(world):
    assert told(world, "host-1", "web1")[0] == 201
    assert told(world, "host-1", "web1")[0] == 201
    status, message = told(world, "host-2", "web1")
    assert (status, message) == (403, "the account host-1 reports under the host name web1")
    assert told(world, "host-2", "web2")[0] == 201
    assert [s.host for s in world.registry.snapshots()] == ["web1", "web2"]


def test_what_is_refused_changes_nothing(world):
    told(world, "host-1", "web1")
    before = list(world.registry.snapshots())
    told(world, "ci", "web1")
    assert list(world.registry.snapshots()) == before


def test_a_rule_goes_before_who_was_first(world):
    reporters = Reporters((RULE,))
    assert told(world, "ci", "web-1")[0] == 201  # before there was the rule
    assert told(world, "host-1", "web-1", reporters=reporters)[0] == 201
    assert told(world, "host-2", "Build 7", reporters=reporters)[0] == 201
    status, message = told(world, "ci", "web-1", reporters=reporters)
    assert (status, message) == (403, "the host name web-1 is for reports of host-*")
    assert told(world, "ci", "db-1", reporters=reporters)[0] == 201


def test_who_has_no_account_takes_no_name_from_one():
    registry = MemoryRegistry()
    Reporters().check(registry, "web1", ANONYMOUS)
    Reporters().check(registry, "web1", "ana")
    with pytest.raises(Exception, match="ana reports"):
        Reporters().check(registry, "web1", ANONYMOUS)


@pytest.mark.parametrize(
    ("hosts", "accounts"),
    [
        ([], ["ci"]),
        (["web1"], []),
        (["web[12]"], ["ci"]),
        (["x" * 2000], ["ci"]),
        (["*" * 9], ["ci"]),
    ],
)
def test_rules_that_can_not_be(tmp_path, hosts, accounts):
    path = tmp_path / "serve.toml"
    path.write_text(f"[[access.reporter]]\nhosts = {hosts}\naccounts = {accounts}\n")
    with pytest.raises(UsageError, match=r"access\.reporter"):
        load(path, {}, [])


def test_a_rule_in_the_settings(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text('[[access.reporter]]\nhosts = ["web-*"]\naccounts = ["host-*"]\n')
    (rule,) = load(path, {}, []).access.reporter
    assert (rule.hosts, rule.accounts) == (("web-*",), ("host-*",))
