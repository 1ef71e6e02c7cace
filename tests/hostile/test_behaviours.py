"""The table of lies holds all that are known; `make faults` tries each of them by each verb."""

import pytest

from hostile.behaviours import BEHAVIOURS, VERBS, problems

KNOWN = (
    *("wrong digest", "right header, wrong body", "short", "long", "a length that is a lie"),
    *("endless body", "endless chunks", "endless header", "pages: endless", "endless referrers"),
    *("200 to a Range", "wrong Content-Range", "reset at byte: 0", "reset at byte: 1"),
    *("reset at byte: -1", "a byte a time", "gzip Content-Encoding on a blob", "a bomb"),
    *("wrong Content-Type", "document: a manifest that is an index, too", "document: keys twice"),
    *("document: deep", "document: NaN size", "document: negative size", "document: sha1"),
    *("document: sha512", "document: ../ in a digest", "a digest header that is a lie: sha512"),
    *("a digest header that is a lie: sha1", "a digest header that is a lie: ../"),
    *("alternating answers", "redirect to another port: 301", "redirect to another port: 302"),
    *("redirect to another port: 307", "redirect to another port: 308"),
    *("redirect to: http://example.org", "redirect from outside to: 127.0.0.2"),
    *("redirect to: http://169.254", "redirect to: http://[::ffff", "redirect to: http://2852"),
    *("redirect from outside to: inner.example.org", "redirect loop", "a 401 loop"),
    *("WWW-Authenticate: none", "WWW-Authenticate: 1 MiB", "WWW-Authenticate: two"),
    *("foreign realm", "a token of 10 MiB", "429: 1", "429: Fri", "429: -1", "429: 999"),
    *("404 with a body that says 200", "upload Location elsewhere", "HTTP/1.0, and close"),
)
"""What real registries and proxies have been seen to do, or were made to do.

A certificate for another name is in `unit/test_client_tls.py`; a tag that was rolled back, or that
is not where the ledger says, in `cli/test_rewritten.py`: they need more than a site.
"""


@pytest.mark.parametrize("name", KNOWN)
def test_a_lie_that_is_known_is_in_the_table(name):
    assert any(lie.startswith(name) for lie in BEHAVIOURS)


def test_there_are_enough_of_them():
    assert len(BEHAVIOURS) >= 100


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["right header, wrong body: /blobs/", "wrong digest: /manifests/"])
def test_the_table_can_be_played(name, verb, tmp_path):
    assert list(problems(name, verb, tmp_path)) == []
