"""Bearer tokens: only what this registry signed, for this use, now, is taken."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from guarding import World, basic, bearer
from killick.accounts import Keyring, Place, Signer
from killick.accounts.bearer import Claims
from killick.accounts.keyring import LONGEST_LIFE, SIGNS
from killick.accounts.scopes import Scope, parse_scopes
from killick.errors import LimitExceeded, StoreDamaged, Unauthorized
from killick.rights import Who

CLAIMS = Claims("ana", "stamp", "", (Scope("a", frozenset({"pull"})),))


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def signer(place, clock):
    return Signer(Keyring(place, clock), clock)


def encoded(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Forge:
    """Tokens that look like a true one, made by hand."""

    def __init__(self, true, key):
        self.true = true
        self.key = key
        self.parts = true.split(".")
        self.header = json.loads(decoded(self.parts[0]))
        self.claims = json.loads(decoded(self.parts[1]))

    def signed(self, header=None, claims=None, secret=None, algorithm=hashlib.sha256):
        """A token with fields changed (None: left out), signed with our own key or another."""
        text = ".".join(
            encoded({k: v for k, v in (fields | (changes or {})).items() if v is not None})
            for fields, changes in ((self.header, header), (self.claims, claims))
        )
        secret = bytes.fromhex(self.key.secret) if secret is None else secret
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), algorithm))}"

    def with_claims(self, **claims):
        """A token with claims changed, but the old signature."""
        return f"{self.parts[0]}.{encoded(self.claims | claims)}.{self.parts[2]}"

    def by(self, key, algorithm, **header):
        fields = self.header | {"alg": algorithm} | header
        return jwt.encode(fields, self.claims, key, algorithms=[algorithm])


RSA = RSAKey.generate_key(2048, auto_kid=False)
EC = ECKey.generate_key("P-256", auto_kid=False)
ED = OKPKey.generate_key("Ed25519", auto_kid=False)
OTHER = OctKey.import_key(b"k" * 32)
WIDE = [{"type": "repository", "name": "a", "actions": ["pull", "push", "delete"]}]

# What is signed with our own key here shows that the signature alone is not enough.
FORGED = {
    "alg none": lambda f: f"{encoded(f.header | {'alg': 'none'})}.{f.parts[1]}.",
    "alg None": lambda f: f"{encoded(f.header | {'alg': 'None'})}.{f.parts[1]}.",
    "alg none, with signature": lambda f: f.signed({"alg": "none"}),
    "no alg": lambda f: f.signed({"alg": None}),
    "alg HS512": lambda f: f.signed({"alg": "HS512"}, algorithm=hashlib.sha512),
    "alg HS384": lambda f: f.signed({"alg": "HS384"}, algorithm=hashlib.sha384),
    "alg a list": lambda f: f.signed({"alg": ["HS256"]}),
    "alg hs256": lambda f: f.signed({"alg": "hs256"}),
    "alg RS256, their key": lambda f: f.by(RSA, "RS256"),
    "alg ES256, their key": lambda f: f.by(EC, "ES256"),
    "alg Ed25519, their key": lambda f: f.by(ED, "Ed25519"),
    "HMAC with an empty secret": lambda f: f.signed(secret=b""),
    "HMAC with a public key": lambda f: f.signed(secret=RSA.as_pem(private=False)),
    "HMAC with the key's id": lambda f: f.signed(secret=f.key.id.encode()),
    "HMAC with the secret as text": lambda f: f.signed(secret=f.key.secret.encode()),
    "HMAC with another key": lambda f: f.by(OTHER, "HS256"),
    "jwk in the header": lambda f: f.signed({"jwk": OTHER.as_dict()}, secret=b"k" * 32),
    "jku in the header": lambda f: f.signed({"jku": "https://evil.example/keys"}),
    "x5u in the header": lambda f: f.signed({"x5u": "https://evil.example/c"}),
    "x5c in the header": lambda f: f.signed({"x5c": ["AAAA"]}),
    "crit in the header": lambda f: f.signed({"crit": ["exp"]}),
    "b64 false": lambda f: f.signed({"b64": False, "crit": ["b64"]}),
    "zip in the header": lambda f: f.signed({"zip": "DEF"}),
    "no kid": lambda f: f.signed({"kid": None}),
    "kid of nothing": lambda f: f.signed({"kid": "0" * 16}),
    "kid a path": lambda f: f.signed({"kid": "../../../dev/null"}, secret=b""),
    "kid SQL": lambda f: f.signed({"kid": "x' UNION SELECT 'k"}, secret=b"k"),
    "kid a number": lambda f: f.signed({"kid": 0}),
    "kid a list": lambda f: f.signed({"kid": [f.key.id]}),
    "another typ": lambda f: f.signed({"typ": "JOSE"}),
    "another issuer": lambda f: f.signed(claims={"iss": "evil.example"}),
    "another audience": lambda f: f.signed(claims={"aud": "registry.example"}),
    "several audiences": lambda f: f.signed(claims={"aud": ["killick", "other"]}),
    "a refresh token": lambda f: f.signed(claims={"aud": "killick:refresh"}),
    "run out": lambda f: f.signed(claims={"exp": f.claims["iat"]}),
    "never runs out": lambda f: f.signed(claims={"exp": None}),
    "runs out as text": lambda f: f.signed(claims={"exp": "9999999999"}),
    "runs out true": lambda f: f.signed(claims={"exp": True}),
    "runs out NaN": lambda f: f.signed(claims={"exp": float("nan")}),
    "not yet good": lambda f: f.signed(claims={"nbf": f.claims["nbf"] + 3600}),
    "no audience": lambda f: f.signed(claims={"aud": None}),
    "no subject": lambda f: f.signed(claims={"sub": None}),
    "subject a list": lambda f: f.signed(claims={"sub": ["ana"]}),
    "a claim more": lambda f: f.signed(claims={"admin": True}),
    "access a text": lambda f: f.signed(claims={"access": "*"}),
    "scope widened": lambda f: f.with_claims(access=WIDE),
    "account changed": lambda f: f.with_claims(sub="root"),
    "stamp changed": lambda f: f.with_claims(stamp="other"),
    "life prolonged": lambda f: f.with_claims(exp=f.claims["exp"] + 1),
    "signature cut": lambda f: f.true[:-1],
    "signature left out": lambda f: f"{f.parts[0]}.{f.parts[1]}.",
    "signature of zeros": lambda f: f"{f.parts[0]}.{f.parts[1]}.{encoded(bytes(32))}",
    "two parts": lambda f: f"{f.parts[0]}.{f.parts[1]}",
    "four parts": lambda f: f"{f.true}.{f.parts[2]}",
    "five parts, encrypted": lambda f: f"{f.true}..{f.parts[2]}",
    "header not JSON": lambda f: f"{encoded(b'x')}.{f.parts[1]}.{f.parts[2]}",
    "claims not JSON": lambda f: f"{f.parts[0]}.{encoded(b'x')}.{f.parts[2]}",
    "claims a list": lambda f: f"{f.parts[0]}.{encoded([])}.{f.parts[2]}",
    "deep JSON": lambda f: f"{encoded(b'[' * 5000)}.{f.parts[1]}.{f.parts[2]}",
    "very long": lambda f: f"{f.parts[0]}.{'A' * 200_000}.{f.parts[2]}",
    "nothing": lambda f: "",
    "dots": lambda f: "..",
    "not ASCII": lambda f: f.true + "é",
    "line break": lambda f: f.true + "\n",
}


@pytest.mark.parametrize("form", FORGED)
def test_forged_tokens_are_refused(form, signer, place, clock):
    true = signer.sign(CLAIMS, "access")
    key = Keyring(place, clock).signing()
    forge = Forge(true, key)
    assert signer.check(forge.signed(), "access").account == "ana"  # the forge works
    with pytest.raises(Unauthorized) as caught:
        signer.check(FORGED[form](forge), "access")
    assert str(caught.value) == "the token is not one that this registry takes now"


def test_there_are_thirty_forms_and_more():
    assert len(FORGED) >= 30


@given(data=st.data())
def test_changed_characters_are_found(data, tmp_path_factory):
    signer = Signer(Keyring(Place(tmp_path_factory.getbasetemp() / "changed")))
    true = signer.sign(CLAIMS, "access")
    at = data.draw(st.integers(0, len(true) - 2))  # the last one has bits that count for nothing
    put = data.draw(st.sampled_from("Aa0-_.=\0é"))
    changed = true[:at] + put + true[at + 1 :]
    if changed != true:
        with pytest.raises(Unauthorized):
            signer.check(changed, "access")


def test_what_was_signed_comes_back(signer):
    said = signer.check(signer.sign(CLAIMS, "access"), "access")
    assert (said.account, said.stamp, said.token, said.access) == (
        "ana",
        "stamp",
        "",
        (Scope("a", frozenset({"pull"})),),
    )


def test_a_token_is_for_one_use(signer):
    with pytest.raises(Unauthorized):
        signer.check(signer.sign(CLAIMS, "access"), "refresh")
    with pytest.raises(Unauthorized):
        signer.check(signer.sign(CLAIMS, "refresh"), "access")


def test_tokens_live_for_five_minutes(signer, clock):
    token = signer.sign(CLAIMS, "access")
    clock.now += timedelta(minutes=5) - timedelta(seconds=1)
    assert signer.check(token, "access")
    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthorized):
        signer.check(token, "access")


def test_keys_rotate_and_check_until_what_they_signed_runs_out(place, clock):
    signer, other = (Signer(Keyring(place, clock), clock) for _ in range(2))
    first, refresh = signer.sign(CLAIMS, "access"), signer.sign(CLAIMS, "refresh")
    clock.now += timedelta(minutes=4)
    assert other.check(first, "access")
    clock.now += SIGNS - timedelta(minutes=5)
    late = other.sign(CLAIMS, "access")
    assert kid(late) == kid(first)
    clock.now += timedelta(minutes=2)
    new = other.sign(CLAIMS, "access")
    assert kid(new) != kid(first)
    assert signer.check(new, "access")
    assert signer.check(late, "access")
    assert signer.check(refresh, "refresh")
    clock.now += LONGEST_LIFE + SIGNS
    signer.sign(CLAIMS, "access")
    assert kid(first) not in place.keys.read_text()
    with pytest.raises(Unauthorized):
        signer.check(refresh, "refresh")


def test_a_key_is_not_known_for_ever(place, clock):
    ring = Keyring(place, clock)
    key = ring.signing()
    clock.now += SIGNS + LONGEST_LIFE - timedelta(seconds=1)
    assert ring.known(key.id) == key
    clock.now += timedelta(seconds=1)
    assert ring.known(key.id) is None


def test_without_the_file_of_keys_everybody_is_signed_out(signer, place):
    token = signer.sign(CLAIMS, "access")
    place.keys.unlink()
    with pytest.raises(Unauthorized):
        signer.check(token, "access")
    assert signer.check(signer.sign(CLAIMS, "access"), "access")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 2, "keys": []}', '{"version": 1, "keys": [{"id": "x"}]}']
)
def test_a_damaged_file_of_keys_signs_nothing(signer, place, text):
    signer.sign(CLAIMS, "access")
    place.keys.write_text(text)
    with pytest.raises(StoreDamaged) as caught:
        signer.sign(CLAIMS, "access")
    assert "x" not in str(caught.value).replace(str(place.keys), "").split()


def kid(token):
    return json.loads(decoded(token.partition(".")[0]))["kid"]


def test_a_widened_scope_grants_nothing_more_than_the_account_has(tmp_path):
    """Even signed with the true key: what the account may do now decides."""
    world = World(tmp_path)
    world.add("ana")
    true = bearer(world.client(), basic("ana"), "repository:a:pull")[7:]
    forge = Forge(true, Keyring(world.place).signing())
    caller = world.gate.identify(f"Bearer {forge.signed(claims={'access': WIDE})}", Who("", ""))
    assert caller.may("push", "a")
    assert not caller.may("delete", "a")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("repository:a/b:pull", ["repository:a/b:pull"]),
        ("repository:a:push,pull", ["repository:a:pull,push"]),
        ("repository:a:*", ["repository:a:pull,push,delete,report,admin"]),
        ("repository(plugin):a:pull", ["repository:a:pull"]),
        ("repository:a:pull repository:b:pull", ["repository:a:pull", "repository:b:pull"]),
        ("registry:catalog:*", ["registry:catalog:*"]),
        ("registry:killick:report", ["registry:killick:report"]),
        ("repository:a:list,login", ["repository:a:"]),
        ("repository:A:pull", []),
        ("repository:../a:pull", []),
        ("repository:a", []),
        ("registry:other:pull", []),
        ("artifact:a:pull", []),
        ("", []),
        (":::", []),
    ],
)
def test_scopes(text, found):
    assert [str(scope) for scope in parse_scopes([text])] == found


def test_scopes_are_bounded():
    with pytest.raises(LimitExceeded):
        parse_scopes(["repository:a:pull " * 101])
