"""The policies without I/O: retries, token realms, tokens."""

from datetime import UTC, datetime

import pytest

from killick.client.auth import Answer, Auth, merged_scopes
from killick.client.credential import Authorization, Credential
from killick.client.origin import Origin, Url
from killick.client.realms import check_realm, may_have_credentials
from killick.client.retry import Retry, seconds
from killick.errors import Denied, ProtocolError, Unauthorized, UsageError

REGISTRY = Origin("https", "registry.example.org", 443)
PULL = ("repository:a/b:pull",)


def test_waits_double_and_end():
    retry = Retry(5, 30.0, jitter=lambda: 1.0)
    assert [retry.wait() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, None]


def test_jitter_takes_away_at_most_half():
    assert Retry(5, 30.0, jitter=lambda: 0.0).wait() == 0.25


def test_patience_is_for_all_waits_together():
    retry = Retry(100, 3.0, jitter=lambda: 1.0)
    assert [retry.wait() for _ in range(3)] == [0.5, 1.0, None]
    retry = Retry(100, 3.0, jitter=lambda: 1.0)
    assert retry.wait() == 0.5
    retry.progressed()
    assert retry.wait() == 0.5
    retry.progressed()
    assert retry.wait() == 0.5


def test_what_is_asked_for_is_waited_or_not_at_all():
    retry = Retry(5, 30.0, jitter=lambda: 1.0)
    assert retry.wait(7) == 7
    assert retry.wait(0) == 1.0
    assert retry.wait(3600) is None
    assert retry.asked == 3600
    assert Retry(5, 1000.0).wait(61) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("5", 5.0),
        ("-5", None),
        ("soon", None),
        ("9" * 400, float("9" * 12)),
        ("Sun, 01 Nov 2026 12:00:10 GMT", 10.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Nov 99999 11:00:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, expected):
    assert seconds(header, datetime(2026, 11, 1, 12, tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("registry", "realm", "allowed"),
    [
        ("registry-1.docker.io", "auth.docker.io", True),
        ("registry.gitlab.com", "gitlab.com", True),
        ("ghcr.io", "ghcr.io", True),
        ("ghcr.io", "auth.ghcr.io", True),
        ("registry.example.org", "auth.example.org", True),
        ("registry.example.org", "registry.example.org", True),
        ("registry.example.org", "evil.org", False),
        ("registry.example.org", "example.org.evil.com", False),
        ("registry.example.org", "evilexample.org", False),
        ("ghcr.io", "evil.io", False),
        ("shop.co.uk", "evil.co.uk", False),
        ("shop.com.au", "evil.com.au", False),
        ("mine.azurecr.io", "yours.azurecr.io", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("localhost", "evil.localhost", False),
    ],
)
def test_who_may_have_credentials(registry, realm, allowed):
    origins = Origin("https", realm, 8443), Origin("https", registry, 443)
    assert may_have_credentials(*origins) is allowed
    assert may_have_credentials(*origins, trusted=[realm.upper()])


@pytest.mark.parametrize(
    ("realm", "registry", "fine"),
    [
        ("https://a.b", "https://c.d", True),
        ("http://a.b", "https://a.b", False),
        ("http://a.b", "http://a.b", False),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", True),
        ("http://localhost", "http://127.0.0.1", True),
        ("http://127.0.0.1", "https://127.0.0.1", False),
        ("http://127.0.0.1", "https://a.b", False),
    ],
)
def test_realms_are_secure(realm, registry, fine):
    origins = Url.parse(realm).origin, Url.parse(registry).origin
    if fine:
        check_realm(*origins)
    else:
        with pytest.raises(Denied):
            check_realm(*origins)


def test_secrets_leave_for_their_origin_only():
    secret = Credential("u", "pässword").basic(REGISTRY)
    assert secret.value_for(REGISTRY).startswith("Basic ")
    for other in (
        Origin("http", "registry.example.org", 443),
        Origin("https", "registry.example.org", 444),
        Origin("https", "example.org", 443),
    ):
        assert secret.value_for(other) is None
    shown = repr([secret, Credential("u", "pässword", "identity", "token"), vars])
    assert not any(text in shown for text in ("pässword", "identity", "token", "Basic"))


def test_secrets_never_leave_over_plain_http():
    with pytest.raises(Denied):
        Credential("u", "p").basic(Origin("http", "example.org", 80))
    assert Credential("u", "p").basic(Origin("http", "127.0.0.1", 5000)) is not None


@pytest.mark.parametrize("parts", [("a:b", "c"), ("a", "b\r\nX: y"), ("a\0", "b")])
def test_credentials_fit_into_headers(parts):
    with pytest.raises(UsageError):
        Credential(*parts)


def test_scopes_of_one_resource_become_one():
    assert merged_scopes(
        ["repository:a:pull", "repository:a:push,pull", "registry:catalog:*", "nonsense"]
    ) == ["registry:catalog:*", "repository:a:pull,push"]


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self):
        return self.now


def made(credential=None, clock=None, trusted=()):
    return Auth(REGISTRY, lambda: credential, trusted, clock or Clock())


def run(flow, *answers):
    """Drive a flow with the answers, and return the requests and what came of it."""
    requests = []
    waiting = iter(answers)
    try:
        requests.append(next(flow))
        while True:
            requests.append(flow.send(next(waiting)))
    except StopIteration as stop:
        return requests, stop.value


BEARER = ['Bearer realm="https://auth.example.org/t?x=1",service="reg",scope="repository:a/b:pull"']
TOKEN = Answer(200, b'{"token": "abc", "expires_in": 100}')


def test_an_anonymous_token_is_got_kept_and_renewed():
    clock = Clock()
    auth = made(clock=clock)
    assert auth.ready(PULL) is None
    requests, found = run(auth.renew(BEARER, PULL, None), TOKEN)
    [request] = requests
    assert str(request.url) == (
        "https://auth.example.org/t?x=1&service=reg&scope=repository:a/b:pull"
    )
    assert request.authorization is None
    assert found.value_for(REGISTRY) == "Bearer abc"
    assert auth.ready(PULL) is found
    assert auth.ready(("repository:a/b:pull,push",)) is None
    assert run(auth.renew(BEARER, PULL, None)) == ([], found)
    clock.now += 89
    assert auth.ready(PULL) is found
    clock.now += 2
    assert auth.ready(PULL) is None


def test_a_token_that_was_refused_is_got_anew():
    auth = made()
    _, first = run(auth.renew(BEARER, PULL, None), TOKEN)
    requests, second = run(auth.renew(BEARER, PULL, first), TOKEN)
    assert len(requests) == 1
    assert second is not first


def test_a_password_goes_to_a_realm_of_the_registry():
    requests, _ = run(made(Credential("u", "p")).renew(BEARER, PULL, None), TOKEN)
    realm = Url.parse("https://auth.example.org").origin
    assert requests[0].authorization.value_for(realm) == "Basic dTpw"
    assert requests[0].authorization.value_for(REGISTRY) is None


def test_a_password_does_not_go_to_a_foreign_realm():
    foreign = ['Bearer realm="https://auth.evil.com/t"']
    auth = made(Credential("u", "p"))
    requests, found = run(auth.renew(foreign, PULL, None), TOKEN)
    assert requests[0].authorization is None
    assert found.value_for(REGISTRY) == "Bearer abc"
    assert "evil.com" in auth.withheld
    requests, _ = run(
        made(Credential("u", "p"), trusted=["auth.evil.com"]).renew(foreign, PULL, None), TOKEN
    )
    assert requests[0].authorization is not None


def test_an_identity_token_is_exchanged_by_post():
    auth = made(Credential(identity_token="s3cret/+"))
    requests, found = run(auth.renew(BEARER, PULL, None), Answer(200, b'{"access_token": "new"}'))
    [request] = requests
    assert request.method == "POST"
    assert b"grant_type=refresh_token" in request.body
    assert b"refresh_token=s3cret%2F%2B" in request.body
    assert b"scope=repository%3Aa%2Fb%3Apull" in request.body
    assert found.value_for(REGISTRY) == "Bearer new"


def test_where_there_is_no_post_an_anonymous_get_follows():
    auth = made(Credential(identity_token="s"))
    requests, _ = run(auth.renew(BEARER, PULL, None), Answer(404, b""), TOKEN)
    assert [r.method for r in requests] == ["POST", "GET"]


def test_a_registry_token_is_shown_as_it_is_and_once():
    auth = made(Credential(registry_token="direct"))
    requests, found = run(auth.renew(BEARER, PULL, None))
    assert requests == []
    assert found.value_for(REGISTRY) == "Bearer direct"
    assert run(auth.renew(BEARER, PULL, found)) == ([], None)


def test_basic_is_shown_and_once():
    auth = made(Credential("u", "p"))
    _, found = run(auth.renew(['Basic realm="x"'], PULL, None))
    assert isinstance(found, Authorization)
    assert auth.ready(("anything",)) is found
    assert run(auth.renew(['Basic realm="x"'], PULL, found)) == ([], None)


def test_a_token_is_preferred_to_a_password():
    requests, _ = run(made(Credential("u", "p")).renew(["Basic", *BEARER], PULL, None), TOKEN)
    assert len(requests) == 1


@pytest.mark.parametrize("headers", [[], ["Digest realm=x"], ["Bearer"], ["Basic"]])
def test_what_cannot_be_answered_is_not(headers):
    assert run(made().renew(headers, PULL, None)) == ([], None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, b"{}"), Unauthorized),
        (Answer(403, b""), Unauthorized),
        (Answer(200, b"<html>"), ProtocolError),
        (Answer(200, b"[]"), ProtocolError),
        (Answer(200, b"{}"), ProtocolError),
        (Answer(200, b'{"token": ""}'), ProtocolError),
        (Answer(200, b'{"token": 5}'), ProtocolError),
        (Answer(200, b'{"token": "a\\r\\nX: y"}'), ProtocolError),
        (Answer(200, b'{"token": "' + b"x" * 100_000 + b'"}'), ProtocolError),
        (Answer(404, b""), ProtocolError),
    ],
)
def test_an_answer_without_a_token_is_an_error(answer, error):
    with pytest.raises(error):
        run(made().renew(BEARER, PULL, None), answer)


@pytest.mark.parametrize("lifetime", ["-5", "0", '"x"', "1e300", "null", "[]"])
def test_odd_lifetimes_count_as_a_minute(lifetime):
    clock = Clock()
    auth = made(clock=clock)
    body = f'{{"token": "a", "expires_in": {lifetime}}}'.encode()
    run(auth.renew(BEARER, PULL, None), Answer(200, body))
    clock.now += 50
    assert auth.ready(PULL)
    clock.now += 10
    assert not auth.ready(PULL)
