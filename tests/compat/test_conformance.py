"""The OCI conformance suite against `killick serve`, with every API and kind of data turned on."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compat.processes import Tool, find
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


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_the_suite_passes_whole(
    version: str, served: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "OCI_REGISTRY": served.host,
        "OCI_TLS": "disabled",
        "OCI_VERSION": version,
        "OCI_REPO1": f"conformance/{version}/one",
        "OCI_REPO2": f"conformance/{version}/two",
        "OCI_RESULTS_DIR": str(tmp_path),
    }
    every = {f"OCI_{name}": "true" for name in ALL.split()}
    inherited = {name: "" for name in os.environ if name.startswith("OCI_")}
    suite = Tool(find("conformance"), env=inherited | settings | every)
    printed = suite.run(timeout=300)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    count = {key: int(root.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    with capsys.disabled():
        print(f"\nOCI conformance {version}: {count}")
    assert count["tests"] > 1000
    assert (count["failures"], count["errors"], count["skipped"]) == (0, 0, 0), printed
