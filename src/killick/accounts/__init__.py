"""Accounts of a served registry: who may log in, with what, and what they may do then.

Everything lies in the folder `access/` of the registry's root, and is shared by all its workers and
by the commands that change it.
"""

from killick.accounts.audit import Audit, FileSink, to_nowhere, to_stderr
from killick.accounts.bearer import Signer
from killick.accounts.directory import AccessToken, Account, Directory, check_name
from killick.accounts.gate import AccountsGate, Parts
from killick.accounts.keyring import Keyring
from killick.accounts.passwords import check_password, hashed, mint
from killick.accounts.place import Place
from killick.accounts.policy import READ_ONLY, Policy, Rule
from killick.accounts.register import Register
from killick.accounts.tries import Tries

__all__ = [
    "READ_ONLY",
    "AccessToken",
    "Account",
    "AccountsGate",
    "Audit",
    "Directory",
    "FileSink",
    "Keyring",
    "Parts",
    "Place",
    "Policy",
    "Register",
    "Rule",
    "Signer",
    "Tries",
    "check_name",
    "check_password",
    "hashed",
    "mint",
    "to_nowhere",
    "to_stderr",
]
