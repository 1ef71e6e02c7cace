"""Strategies: references by docker's grammar piece by piece, and almost-JSON documents."""

import string

from hypothesis import strategies as st

ALNUM = string.ascii_lowercase + string.digits
label = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True)
host = st.one_of(
    st.lists(label, min_size=2, max_size=3).map(".".join),
    st.just("localhost"),
    st.sampled_from(["127.0.0.1", "[::1]", "[2001:db8::1]"]),
)
domain = st.builds(
    lambda h, p: h if p is None else f"{h}:{p}", host, st.none() | st.integers(0, 99999)
)
part = st.from_regex(r"[a-z0-9]{1,4}(([._]|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
path = st.lists(part, min_size=1, max_size=4).map("/".join)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}", fullmatch=True)
digest = st.one_of(
    st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__),
    st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:".__add__),
)
moment = st.sampled_from(["yesterday", "now", "2026-11-01", "2 hours ago", "3d"])


@st.composite
def references(draw):
    """Draw a text that docker's grammar, with time travel, allows."""
    text = draw(path)
    if draw(st.booleans()):
        text = f"{draw(domain)}/{text}"
    if draw(st.booleans()):
        text += f":{draw(tag)}"
    kind = draw(st.sampled_from(["plain", "digest", "back", "moment"]))
    if kind == "digest":
        text += f"@{draw(digest)}"
    elif kind == "back":
        text += f"~{draw(st.integers(0, 999))}"
    elif kind == "moment":
        text += f"@{{{draw(moment)}}}"
    return text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=15,
)

FIELDS = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "digest",
    "size",
    "data",
    "platform",
    "annotations",
    "urls",
    "subject",
    "artifactType",
    "os",
    "architecture",
    "rootfs",
    "diff_ids",
    "history",
    "created",
    "Labels",
]
"""Names that the documents have, so that what is drawn goes deep into the readers."""


def documents(media_types):
    """Return a strategy of values that look like manifests, indexes and configs, and are not."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-1, 2**54)
        | st.sampled_from([2, 1, 2.0, "", "AA==", "sha256:" + "0" * 64, *media_types])
        | st.text(max_size=5)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
        ),
        max_leaves=25,
    )
