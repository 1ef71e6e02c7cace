"""Fixtures: an authority of our own, servers that it vouches for, a store whose clock stands."""

import ssl

import pytest
import trustme

from killick.store import Store
from stores import NAME, Clock


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def tls(authority):
    """A server's context, for every name used here."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    names = ["127.0.0.1", "localhost", "*.example.org", "*.evil.com", "ghcr.io"]
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def clock():
    """A clock that stands still until it is told to move."""
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    """An empty store, with that clock."""
    with Store(tmp_path / "store", clock=clock) as opened:
        yield opened


@pytest.fixture
def repository(store):
    """A repository of that store."""
    return store.repository(NAME)
