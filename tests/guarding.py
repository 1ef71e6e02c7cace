"""A registry with accounts for tests: made in a folder, with passwords that are quick to check."""

import base64
import json
from dataclasses import replace

from starlette.testclient import TestClient

from killick.accounts import (
    AccessToken,
    Account,
    AccountsGate,
    Audit,
    Keyring,
    Parts,
    Place,
    Policy,
    Register,
    Rule,
    Signer,
    Tries,
    hashed,
    mint,
    passwords,
)
from killick.memory import MemoryRegistry
from killick.moments import utc_now
from killick.rights import RIGHTS
from killick.server import Operations, application

PASSWORD = "correct horse battery"
QUICK = 4
USUAL_COST = passwords.COST


class World:
    """A registry in memory, its accounts in `root`, and what its audit log says."""

    def __init__(self, root, policy=None, without=None, clock=None):
        passwords.COST = QUICK
        self.place = Place(root)
        self.register = Register(self.place)
        self.registry = MemoryRegistry()
        self.log = []
        self.policy = policy or Policy()
        self.without = without or Policy()
        self.clock = clock
        self.gate = self.worker()

    def worker(self):
        """Return a gate as another worker process has it: nothing is shared but the folder."""
        parts = Parts(
            register=Register(self.place),
            policy=self.policy,
            without=self.without,
            signer=Signer(Keyring(self.place)),
            tries=Tries(self.place),
            audit=Audit(lambda line: self.log.append(json.loads(line))),
        )
        return AccountsGate(replace(parts, clock=self.clock) if self.clock else parts)

    def client(self, **options):
        operations = Operations(**options)
        return TestClient(application(self.registry, self.gate, operations=operations))

    def add(self, name, password=PASSWORD, **facts):
        account = Account(name, utc_now(), password and hashed(password), **facts)
        self.register.change(lambda directory: directory.with_new(account))
        return account

    def change(self, name, **facts):
        self.register.change(
            lambda directory: directory.with_changed(replace(directory.account(name), **facts))
        )

    def remove(self, name):
        self.register.change(lambda directory: directory.without(name))

    def token(self, account, **facts):
        """Give an account an access token; return its text and its id."""
        minted = mint()
        token = AccessToken(minted.id, account, "-", utc_now(), minted.digest, **facts)
        self.register.change(lambda directory: directory.with_token(token))
        return minted.text, minted.id

    def take_back(self, token_id):
        self.register.change(lambda directory: directory.without_token(token_id))

    def events(self, name):
        return [entry for entry in self.log if entry["event"] == name]


def basic(name, password=PASSWORD):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def shows(credentials):
    return {"Authorization": credentials} if credentials else {}


def bearer(client, credentials=None, *scopes):
    """Return the header of a bearer token that the token service gives for these credentials."""
    answer = client.get(
        "/v2/_killick/token", params={"scope": list(scopes)}, headers=shows(credentials)
    )
    assert answer.status_code == 200, answer.text
    return f"Bearer {answer.json()['token']}"


def rule(repositories, rights, accounts=(), groups=()):
    return Rule.stated([repositories], rights, accounts, groups)


ALL = frozenset(RIGHTS)
