"""Fixtures: an authority of our own, and servers that it vouches for."""

import ssl

import pytest
import trustme


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
