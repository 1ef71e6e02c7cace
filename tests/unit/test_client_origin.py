"""Where requests may go: origins, URLs, zones."""

import pytest

from killick.client.origin import Origin, Url, Zone, origin_of, zone_of
from killick.errors import ProtocolError, UsageError


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://Example.org", Origin("https", "example.org", 443), "/"),
        ("http://h:81/a?b#c", Origin("http", "h", 81), "/a?b"),
        ("https://[::1]:5/x", Origin("https", "::1", 5), "/x"),
        ("https://[0:0:0:0:0:0:0:1]/x", Origin("https", "::1", 443), "/x"),
        ("http://2130706433/x", Origin("http", "127.0.0.1", 80), "/x"),
        ("http://0x7f.1/x", Origin("http", "127.0.0.1", 80), "/x"),
        ("http://0177.0.0.1/x", Origin("http", "127.0.0.1", 80), "/x"),
        ("https://example.org./x", Origin("https", "example.org", 443), "/x"),
    ],
)
def test_urls_have_one_meaning(text, origin, target):
    assert Url.parse(text) == Url(origin, target)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://x/",
        "file:///etc/passwd",
        "//x/",
        "https://user@host/",
        "https://user:pw@host/",
        "https://ho st/",
        "https://host\\@evil/",
        "https://host:0/",
        "https://host:99999/",
        "https://host:/",
        "https://[::1%25eth0]/",
        "https://[zz]/",
        "https://a..b/",
        "https://999.1.1.1/",
        "https://host/\r\nX: y",
        "https://hö.st/",
        "https://host/" + "x" * 20_000,
    ],
)
def test_what_is_not_clear_is_refused(text):
    with pytest.raises(ProtocolError):
        Url.parse(text)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/x?y", "https://h:5/x?y"),
        ("c", "https://h:5/a/c"),
        ("?n=1", "https://h:5/a/b?n=1"),
        ("//other/x", "https://other/x"),
        ("http://other/x", "http://other/x"),
    ],
)
def test_references_are_resolved(reference, expected):
    assert str(Url.parse("https://h:5/a/b").join(reference)) == expected


def test_references_that_are_none_are_refused():
    for bad in ("\x00", "http://[", "javascript:alert(1)", "ht\ntp://x", "https://a b"):
        with pytest.raises(ProtocolError):
            Url.parse("https://h/").join(bad)


def test_queries_add_up_and_are_not_shown():
    url = Url.parse("https://h/a?sig=secret")
    assert str(url.with_query("digest=x")) == "https://h/a?sig=secret&digest=x"
    assert "secret" not in url.shown


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("8.8.8.8", Zone.PUBLIC),
        ("2606:4700::1", Zone.PUBLIC),
        ("10.1.2.3", Zone.PRIVATE),
        ("192.168.0.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("fd00::1", Zone.PRIVATE),
        ("127.0.0.1", Zone.LOOPBACK),
        ("127.9.9.9", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("64:ff9b::7f00:1", Zone.LOOPBACK),
        ("169.254.169.254", Zone.NOWHERE),
        ("::ffff:169.254.169.254", Zone.NOWHERE),
        ("64:ff9b::a9fe:a9fe", Zone.NOWHERE),
        ("fe80::1%eth0", Zone.NOWHERE),
        ("0.0.0.0", Zone.NOWHERE),
        ("::", Zone.NOWHERE),
        ("224.0.0.1", Zone.NOWHERE),
        ("2002:0a00:0001::", Zone.PRIVATE),
    ],
)
def test_zones(address, zone):
    assert zone_of(address) == zone


@pytest.mark.parametrize(
    ("domain", "options", "expected"),
    [
        ("docker.io", {}, "https://registry-1.docker.io"),
        ("index.docker.io", {}, "https://registry-1.docker.io"),
        ("quay.io", {}, "https://quay.io"),
        ("quay.io:8443", {}, "https://quay.io:8443"),
        ("quay.io", {"plain_http": True}, "http://quay.io"),
        ("localhost:5000", {}, "http://localhost:5000"),
        ("127.3.4.5:5000", {}, "http://127.3.4.5:5000"),
        ("[::1]:5000", {}, "http://[::1]:5000"),
        ("localhost:5000", {"tls": True}, "https://localhost:5000"),
        ("localhost:5000", {"plain_http": False}, "https://localhost:5000"),
        ("host.local", {}, "https://host.local"),
        ("localhost.example.org", {}, "https://localhost.example.org"),
    ],
)
def test_registries_have_origins(domain, options, expected):
    assert str(origin_of(domain, **options)) == expected


def test_what_is_no_host_is_wrong_usage():
    for bad in ("", "a/b", "user@host", "http://x"):
        with pytest.raises(UsageError):
            origin_of(bad)
