"""What an engine's words come to, without a look at what they mean."""

import pytest

from fleets import container
from killick.digest import Digest
from killick.fleet.words import read
from killick.names import Name

D = Digest.of(b"x")
GOLF = Name.parse("golftrack")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (str(D), None),
        (D.encoded, None),
        (f" {D} ", None),
        (f"docker://{D}", None),
        (f"docker-pullable://golftrack@{D}", GOLF),
        (f"golftrack@{D}", GOLF),
        (f"golftrack:1.5@{D}", GOLF),
        (f"docker.io/library/golftrack:1.5@{D}", GOLF),
        (f"<none>@{D}", None),
        (f"registry.example:5000/a@{D}", Name.parse("registry.example:5000/a")),
    ],
)
def test_a_digest_is_found_in_every_form(value, name):
    (claim,) = read(container(("status.imageID", value))).claims
    assert (claim.field, claim.digest, claim.name) == ("status.imageID", D, name)


@pytest.mark.parametrize(
    "value",
    ["", "golftrack", "golftrack:1.5", "debian:12", D.encoded[:12], "sha256:abc", "@", "a@b"],
)
def test_what_is_no_digest_claims_nothing(value):
    assert read(container(value)).claims == ()


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("golftrack:1.5", "golftrack:1.5"),
        ("golftrack", "golftrack"),
        ("docker://golftrack:1.5", "golftrack:1.5"),
        (f"golftrack@{D}", f"golftrack@{D}"),
        (str(D), None),
        (D.encoded, None),
        (D.encoded[:12], None),
        (f"sha256:{D.encoded[:12]}", None),
        ("deadbeefcafe", "deadbeefcafe"),  # a legal name: no digest begins so
        ("Not A Reference", None),
        ("golftrack:1.5~1", None),  # no engine knows time travel
    ],
)
def test_what_a_container_was_started_with(image, asked):
    found = read(container(str(D), image=image)).asked
    assert (str(found) if found else None) == asked


def test_all_repositories_that_are_named_are_places_to_ask():
    words = read(
        container(f"mirror.example/a@{D}", image="golftrack:1.5", names=("other:2", "<none>"))
    )
    assert [str(name) for name in words.places] == [
        "docker.io/library/golftrack",
        "mirror.example/a",
        "docker.io/library/other",
    ]


def test_what_only_repeats_the_wish_is_told_apart():
    words = read(container(f"golftrack@{D}", str(D), image=f"golftrack@{D}"))
    assert [claim.wished for claim in words.claims] == [True, False]
