"""The OCI conformance suite against `killick serve`, with every optional API turned on."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compat.processes import Tool, find
from compat.registries import Registry

OPTIONAL = {
    "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
    "OCI_API_BLOBS_DIGEST_HEADER": "true",
    "OCI_API_BLOBS_MOUNT_ANONYMOUS": "true",
    "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
    "OCI_API_MANIFESTS_TAG_PARAM": "true",
    "OCI_API_REFERRER": "true",
}
SKIPPED = {"blob-mount-anonymous", "range 500-0"}
"""What the specification leaves to a registry, and the suite skips where it is not done so."""


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
    inherited = {name: "" for name in os.environ if name.startswith("OCI_")}
    suite = Tool(find("conformance"), env=inherited | settings | OPTIONAL)
    printed = suite.run(timeout=300)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    count = {key: int(root.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    with capsys.disabled():
        print(f"\nOCI conformance {version}: {count}")
    assert (count["failures"], count["errors"]) == (0, 0), printed
    assert count["tests"] > 800
    skipped = {
        case.get("name", "") for case in root.iter("testcase") if case.get("status") == "skipped"
    }
    assert {name.rpartition("/")[2] for name in skipped} <= SKIPPED
