"""What `/metrics` tells of reported containers by what is attached to their images."""

import io
import threading
import time
from datetime import UTC, datetime

import pytest

import images
from killick import openvex
from killick.cli.attached import attach
from killick.cli.chores import chores_of
from killick.cli.said import SAID, count_said, said_gauges
from killick.digest import Digest
from killick.manifest import OCI_EMPTY, OCI_MANIFEST, Descriptor, parse_document
from killick.names import Name, Tag
from killick.observation import Claim, Container, Snapshot
from killick.openvex import Say, compose
from killick.server.chores import Shift
from killick.server.configuration import Configuration
from killick.store import Store
from killick.strictjson import compact

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
NAME = Name("registry.example", "golftrack")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path, retention=None) as opened:
        yield opened


def count(store):
    found = dict(count_said(store, Shift(threading.Event(), {})))
    return {key: value for key, value in found.items() if value}


def report(store, *digests, host="web1"):
    containers = (
        Container(f"c{n}", "web", "golftrack", (Claim("container.Image", str(d)),))
        for n, d in enumerate(digests)
    )
    store.report(Snapshot(host, "docker", NOON, tuple(containers)))


def say(repository, digest, status, about=None, cve="CVE-2026-1"):
    """Attach to an image what is said of it, or of another one."""
    said = [Say(NAME, about or digest, status, "because")]
    attach(repository, digest, compose(cve, said, "ana", NOON))


def test_containers_are_counted_by_the_worst_that_is_said(store):
    repository = store.repository("golftrack")
    made = [images.image(repository, {"app": str(n).encode()}) for n in range(5)]
    for image, status in zip(
        made, ("affected", "fixed", "not_affected", "under_investigation"), strict=False
    ):
        repository.tag(Tag("1.5"), image)
        say(repository, image.digest, status)
    say(repository, made[0].digest, "not_affected", cve="CVE-2026-2")
    with repository.open(made[0]) as stream:
        config = parse_document(stream.read(), made[0].media_type).config.digest
    strange = Digest.of(b"nobody knows me")
    report(store, *(image.digest for image in made), config, strange)
    expected = {"affected": 2, "fixed": 1, "not_affected": 1, "under_investigation": 1}
    assert count(store) == expected | {"unsaid": 1, "unknown": 1, "documents": 5}


def test_a_repository_does_not_speak_of_others_images(store):
    own, other = store.repository("golftrack"), store.repository("eve/app")
    image, theirs = images.image(own, {"app": b"1"}), images.image(other, {"app": b"2"})
    own.tag(Tag("1.5"), image)
    other.tag(Tag("1"), theirs)
    say(other, theirs.digest, "fixed", about=image.digest)
    report(store, image.digest)
    assert count(store) == {"unsaid": 1, "documents": 1}


def test_what_is_no_document_is_passed_over(store):
    repository = store.repository("golftrack")
    image = images.image(repository, {"app": b"1"})
    junk, empty = Descriptor.of(openvex.MEDIA_TYPE, b"{"), Descriptor.of(OCI_EMPTY, b"{}")
    for descriptor, raw in ((junk, b"{"), (empty, b"{}")):
        repository.put(descriptor, io.BytesIO(raw))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": openvex.MEDIA_TYPE,
        "config": empty.to_json(),
        "layers": [junk.to_json()],
        "subject": image.to_json(),
    }
    raw = compact(document)
    repository.put(Descriptor.of(OCI_MANIFEST, raw), io.BytesIO(raw))
    report(store, image.digest)
    assert count(store) == {"unsaid": 1}


def test_the_figures_are_those_of_the_last_count(store):
    repository = store.repository("golftrack")
    image = images.image(repository, {"app": b"1"})
    repository.tag(Tag("1.5"), image)
    say(repository, image.digest, "affected")
    report(store, image.digest)
    chores = chores_of(Configuration(), store)
    assert list(said_gauges(chores)) == []
    chores.ask("advisories")
    while chores.account("advisories")["outcome"] != "done":
        time.sleep(0.01)
    chores.close()
    lines = list(said_gauges(chores))
    assert 'killick_fleet_containers_said{status="affected"} 1' in lines
    assert len(lines) == len(SAID) + 2


def test_who_is_silent_for_long_is_no_longer_counted(tmp_path):
    moment = [NOON]
    with Store(tmp_path, retention=None, clock=lambda: moment[0]) as store:
        image = images.image(store.repository("golftrack"), {"app": b"1"})
        report(store, image.digest, host="dead")
        store.claim("dead", "ana")
        stated = Configuration().chores.reports
        moment[0] += stated
        assert store.forget_silent(stated) == 0
        moment[0] += stated / 1000
        store.report(Snapshot("alive", "docker", moment[0]))
        assert store.forget_silent(stated) == 1
        assert (count(store), store.standings().hosts) == ({}, 1)
        assert store.claim("dead", "eve") == "eve"
