import pytest

from killick.errors import BadReference, NotFound
from killick.server.routes import Target, target_of


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"/v2", Target("base")),
        (b"/v2/", Target("base")),
        (b"/v2/_catalog", Target("catalog")),
        (b"/v2/a/b/c/tags/list", Target("tags", "a/b/c")),
        (b"/v2/a/manifests/1.5", Target("manifest", "a", "1.5")),
        (b"/v2/a/manifests/b/manifests/c", Target("manifest", "a/manifests/b", "c")),
        (b"/v2/a/tags/list/manifests/x", Target("manifest", "a/tags/list", "x")),
        (b"/v2/a/blobs/sha256%3Aabc", Target("blob", "a", "sha256:abc")),
        (b"/v2/a/blobs/uploads/", Target("uploads", "a")),
        (b"/v2/a/blobs/uploads", Target("uploads", "a")),
        (b"/v2/a/blobs/uploads/u1", Target("upload", "a", "u1")),
        (b"/v2/a/referrers/sha256:abc", Target("referrers", "a", "sha256:abc")),
        (b"/v2/_oci/ext/discover", Target("discover")),
        (b"/v2/a/b/_oci/ext/discover", Target("discover", "a/b")),
        (b"/v2/a/b/_oci/tag-history/1.5", Target("tag-history", "a/b", "1.5")),
        (b"/v2/a/b/_killick/history", Target("history", "a/b")),
        (b"/v2/a/_killick/history/history", Target("history", "a", "history")),
        (b"/v2/a/_killick/digests/sha256:abc", Target("digests", "a", "sha256:abc")),
        (b"/v2/a/_killick/tags", Target("standing", "a")),
        (b"/v2/a/_killick/rollback/1.5", Target("rollback", "a", "1.5")),
        (b"/v2/a/manifests/_killick", Target("manifest", "a", "_killick")),
    ],
)
def test_paths_are_read_from_their_end(path, target):
    assert target_of(path) == target


@pytest.mark.parametrize(
    "path",
    [
        b"/v2/a%2Fb/manifests/x",
        b"/v2/a/manifests/x%2Fy",
        b"/v2/../a/manifests/x",
        b"/v2/a/%2e%2e/manifests/x",
        b"/v2/A/manifests/x",
        b"/v2//manifests/x",
        b"/v2/manifests/x",
        b"/v2/a//b/manifests/x",
        b"/v2/a%00/manifests/x",
        b"/v2/_catalog/tags/list",
        b"/v2/_killick/history",
        b"/v2/a/_killick/manifests/x",
        b"/v2/a/_oci/_killick/tags",
        b"/v2/\xff/manifests/x",
        b"/v2/" + b"a" * 256 + b"/manifests/x",
    ],
)
def test_bad_names_are_refused(path):
    with pytest.raises(BadReference):
        target_of(path)


@pytest.mark.parametrize("path", [b"/", b"/v1/", b"/v2/a", b"/v2/a/b/c", b"/v2/" + b"a/" * 2000])
def test_unknown_paths_are_not_found(path):
    with pytest.raises(NotFound):
        target_of(path)
