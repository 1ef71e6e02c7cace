"""TLS: whom to trust, and what to show to whom, over real sockets."""

import ssl

import pytest

import images
from guarded import access
from killick.client import Access, RemoteRegistry
from killick.errors import ProtocolError, Unreachable, UsageError
from killick.names import Tag
from lying import Honest, Reply, Site


def test_an_own_authority_is_trusted(tls, ca_file):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            registry.ping()
            registry.ping()
            assert site.connections == 1
        with RemoteRegistry(site.domain, Access(tls=True, insecure_skip_verify=True)) as registry:
            registry.ping()


def test_blobs_come_over_tls(tls, ca_file):
    honest = Honest()
    content = bytes(range(256)) * 8192
    d = images.put(honest.repository(), "x", content)
    with Site(honest, tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            with registry.repository("a/b").open(d) as stream:
                assert stream.read() == content


def test_an_unknown_authority_is_not_trusted_and_nothing_is_tried_again(tls):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(tls=True)) as registry:
            with pytest.raises(Unreachable, match="can't be trusted") as caught:
                registry.ping()
    assert "--ca-file" in caught.value.hint
    assert site.connections == 1


def test_a_certificate_for_another_name_is_not_trusted(authority, ca_file):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)
    with Site(Honest(), context) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file)) as registry:
            with pytest.raises(Unreachable, match="can't be trusted") as caught:
                registry.ping()
    assert caught.value.hint == "use the name that the certificate is for"


def test_plain_http_where_tls_was_expected_is_said_so():
    with Site(Honest()) as site:
        with RemoteRegistry(site.domain, Access(tls=True, timeout=2.0)) as registry:
            with pytest.raises(Unreachable, match="does not speak TLS") as caught:
                registry.ping()
    assert "--plain-http" in caught.value.hint


def test_tls_where_plain_http_was_expected_is_an_error(tls):
    with Site(Honest(), tls) as site:
        with RemoteRegistry(site.domain, Access(timeout=1.0, attempts=1)) as registry:
            with pytest.raises((ProtocolError, Unreachable)):
                registry.ping()


def test_a_tls_server_that_refuses_plain_http_is_said_so():
    said = b"Client sent an HTTP request to an HTTPS server.\n"
    with Site(lambda seen: Reply(400, said)) as site:
        with RemoteRegistry(site.domain) as registry:
            with pytest.raises(ProtocolError) as caught:
                registry.ping()
    assert "--tls" in caught.value.hint


def test_a_client_certificate_is_shown_to_the_registry_alone(authority, tls, ca_file, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    cert = tmp_path / "client.pem"
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(cert)
    with Site(Honest(), context) as site:
        with RemoteRegistry(site.domain, Access(tls=True, ca_file=ca_file, cert=cert)) as registry:
            registry.ping()
        with RemoteRegistry(site.domain, access(tls=True, ca_file=ca_file)) as registry:
            with pytest.raises(Unreachable, match="TLS"):
                registry.ping()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_is_no_certificate_is_wrong_usage(tmp_path, content):
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_text(content)
    for options in ({"ca_file": path}, {"cert": path}):
        with Site(Honest()) as site:
            with RemoteRegistry(site.domain, Access(tls=True, **options)) as registry:
                with pytest.raises(UsageError, match=r"x\.pem"):
                    registry.ping()


def test_a_closed_port_is_unreachable():
    with Site(Honest()) as site:
        domain = site.domain
    with RemoteRegistry(domain, access()) as registry:
        with pytest.raises(Unreachable, match="failed"):
            registry.ping()


def test_a_host_that_does_not_exist_is_unreachable():
    with RemoteRegistry("registry.invalid", Access(attempts=1)) as registry:
        with pytest.raises(Unreachable, match=r"registry\.invalid"):
            registry.repository("a").resolve(Tag("x"))
