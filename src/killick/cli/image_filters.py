"""What `killick images` leaves out: a repository or pattern, and `--filter` as in docker."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from killick.cli.human import familiar, parse_created
from killick.cli.local import find_image
from killick.cli.variants import variant
from killick.digest import Digest
from killick.errors import BadReference, KillickError, UsageError
from killick.names import Reference

if TYPE_CHECKING:
    from killick.cli.context import Session
    from killick.store import ImageRow

Test = Callable[["ImageRow"], bool]

_PREFIX = re.compile(r"(?:sha256:|sha512:)?[0-9a-f]{6,128}")


def wanted(session: Session, pattern: str | None, filters: Sequence[str]) -> Test:
    """Return the test for the images that a pattern and filters ask for.

    As in docker, several `reference` filters widen what is listed, all others narrow it.

    Raises:
        UsageError: a filter is unknown, or its value makes no sense.
        NotFound: the image in `before` or `since` is not here.
    """
    tests: list[Test] = []
    references: list[Test] = []
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals or key not in _MAKERS:
            raise UsageError(f"{text!r} is not a filter", hint=f"there are {_KNOWN}")
        (references if key == "reference" else tests).append(_MAKERS[key](session, value))
    if pattern is not None:
        tests.append(_by_reference(session, pattern))
    if references:
        tests.append(lambda row: any(test(row) for test in references))
    return lambda row: all(test(row) for test in tests)


def shown_tag(row: ImageRow) -> str | None:
    """Return a row's tag as it is typed: `1.5`, `1.5~1` for what it pointed to before, or None."""
    return f"{row.tag}~{row.back}" if row.back and row.tag else row.tag


def _by_reference(_: Session, value: str) -> Test:
    """Match a name, with or without tag or digest; a pattern; or the beginning of a digest.

    In a pattern, `*` stops at `/`, as in docker.
    """
    digits = value.partition(":")[2] if value.startswith(("sha256:", "sha512:")) else value
    by_digest = _PREFIX.fullmatch(value) is not None
    by_name = _exact(value) or _fitting(value)

    def test(row: ImageRow) -> bool:
        if by_name(row):
            return True
        digests = (row.descriptor.digest, row.image_id) if by_digest else ()
        return any(digest.encoded.startswith(digits) for digest in digests)

    return test


def _fitting(pattern: str) -> Test:
    fits = _glob(pattern).fullmatch

    def test(row: ImageRow) -> bool:
        name = familiar(row.repository)
        names = [name, row.repository]
        names += [f"{name}:{tag}" for tag in (row.tag, shown_tag(row)) if tag]
        return any(map(fits, names))

    return test


def _exact(value: str) -> Test | None:
    """Return the test for a name without wildcards, or None if `value` is none.

    Raises:
        UsageError: it is a moment of a tag, which is one image and no list.
    """
    try:
        asked = Reference.parse(value)
    except BadReference:
        return None
    if asked.moment is not None:
        raise UsageError(
            f"{value!r} is one moment of a tag, and images lists tags",
            hint=f"try killick inspect {value!r}",
        )
    repository = str(asked.name)

    def test(row: ImageRow) -> bool:
        return (
            row.repository == repository
            and asked.tag in (None, row.tag)
            and asked.back in (None, row.back)
            and asked.digest in (None, row.descriptor.digest)
        )

    return test


def _glob(pattern: str) -> re.Pattern[str]:
    """Return Go's `path.Match` pattern as a regular expression."""
    parts = re.findall(r"\*+|\?|\[[^\]]+\]|\\.|.", pattern, re.DOTALL)
    return re.compile("".join(map(_glob_part, parts)))


def _glob_part(part: str) -> str:
    if part[0] == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if len(part) > 2 and part[0] == "[":
        inner = part[1:-1]
        negated = "^" if inner[0] == "^" else ""
        return f"[{negated}{re.escape(inner.removeprefix('^')).replace(chr(92) + '-', '-')}]"
    return re.escape(part[1:] if len(part) == 2 else part)


def _by_age(session: Session, value: str, *, older: bool) -> Test:
    held = find_image(session, value)
    config = variant(held.repository, held.descriptor, None).config
    limit = parse_created(config.created if config else None)

    def test(row: ImageRow) -> bool:
        made: datetime | None = parse_created(row.created)
        if made is None or limit is None:
            return False
        return made < limit if older else made > limit

    return test


def _before(session: Session, value: str) -> Test:
    return _by_age(session, value, older=True)


def _since(session: Session, value: str) -> Test:
    return _by_age(session, value, older=False)


def _dangling(_: Session, value: str) -> Test:
    if value.lower() not in _TRUTHS:
        raise UsageError(f"{value!r} is neither true nor false", hint="write dangling=true")
    return lambda row: (row.tag is None) == _TRUTHS[value.lower()]


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def _label(session: Session, value: str) -> Test:
    key, equals, text = value.partition("=")

    @cache
    def labelled(repository: str, digest: Digest) -> bool:
        place = session.reading.repository(repository)
        try:
            config = variant(place, place.resolve(digest), None).config
        except KillickError:
            return False  # what can't be read has no label; `verify` says why
        labels = config.labels if config else {}
        return key in labels and (not equals or labels[key] == text)

    return lambda row: labelled(row.repository, row.descriptor.digest)


_MAKERS: dict[str, Callable[[Session, str], Test]] = {
    "before": _before,
    "dangling": _dangling,
    "label": _label,
    "reference": _by_reference,
    "since": _since,
}
_KNOWN = "reference=PATTERN, before=IMAGE, since=IMAGE, label=KEY[=VALUE] and dangling=true|false"
