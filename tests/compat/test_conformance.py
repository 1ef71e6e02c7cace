"""The OCI conformance suite against `killick serve`, with every API and kind of data turned on.

Once where everybody may do everything, once with an account without which nobody may do anything.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compat.processes import Tool, daemon, find, free_port, killick_with, listens
from compat.registries import Registry

ALL = (
    "API_PING API_PULL API_PUSH API_REFERRER API_BLOBS_ATOMIC API_BLOBS_DELETE"
    " API_BLOBS_DIGEST_HEADER API_BLOBS_MOUNT_ANONYMOUS API_BLOBS_UPLOAD_CANCEL"
    " API_MANIFESTS_ATOMIC API_MANIFESTS_DELETE API_MANIFESTS_DIGEST_HEADER API_MANIFESTS_TAG_PARAM"
    " API_TAGS_ATOMIC API_TAGS_DELETE API_TAGS_LIST DATA_IMAGE DATA_INDEX DATA_INDEX_LIST"
    " DATA_SPARSE DATA_ARTIFACT DATA_SUBJECT DATA_SUBJECT_MISSING DATA_ARTIFACT_LIST"
    " DATA_SUBJECT_LIST DATA_DATA_FIELD DATA_NONDISTRIBUTABLE DATA_CUSTOM_FIELDS DATA_NO_LAYERS"
    " DATA_EMPTY_BLOB DATA_SHA512"
)
"""Everything that the suite can be told to ask for (its `config.go`)."""


USER, PASSWORD = "conformance", "a password of the suite"


@pytest.fixture(scope="module")
def guarded(home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with one account, and nothing for anybody else."""
    root = tmp_path_factory.mktemp("guarded")
    tool = killick_with(root / "store", home)
    folder = ("--root", root / "registry")
    add = ("user", "add", USER, "--admin", "--password-stdin", *folder)
    tool.run(*add, stdin=f"{PASSWORD}\n".encode())
    host = f"127.0.0.1:{free_port()}"
    with daemon(
        [*tool.command, "serve", "--addr", host, *map(str, folder), "--anonymous", "none"],
        ready=lambda: listens(int(host.rpartition(":")[2])),
        log=root / "log",
        env=tool.env,
    ):
        yield Registry(host)


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_the_suite_passes_whole(
    version: str, served: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _pass(version, served, tmp_path, {})
    with capsys.disabled():
        print(f"\nOCI conformance {version}: {_counts(tmp_path)}")


def test_the_suite_passes_whole_with_an_account(
    guarded: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/v2/", "/v2/conformance/dev/one/tags/list"):
        assert guarded.ask("GET", path).status == 401
    _pass("dev", guarded, tmp_path, {"OCI_USERNAME": USER, "OCI_PASSWORD": PASSWORD})
    with capsys.disabled():
        print(f"\nOCI conformance dev, with an account: {_counts(tmp_path)}")


def _pass(version: str, registry: Registry, results: Path, more: dict[str, str]) -> None:
    """Run the suite; fail if anything in it fails, or was left out."""
    settings = {
        "OCI_REGISTRY": registry.host,
        "OCI_TLS": "disabled",
        "OCI_VERSION": version,
        "OCI_REPO1": f"conformance/{version}/one",
        "OCI_REPO2": f"conformance/{version}/two",
        "OCI_RESULTS_DIR": str(results),
    }
    every = {f"OCI_{name}": "true" for name in ALL.split()}
    inherited = {name: "" for name in os.environ if name.startswith("OCI_")}
    printed = Tool(find("conformance"), env=inherited | settings | every | more).run(timeout=300)
    count = _counts(results)
    assert count["tests"] > 1000
    assert (count["failures"], count["errors"], count["skipped"]) == (0, 0, 0), printed


def _counts(results: Path) -> dict[str, int]:
    root = ElementTree.parse(results / "junit.xml").getroot()
    return {key: int(root.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
