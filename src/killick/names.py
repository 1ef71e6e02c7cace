"""Names of images: docker's reference grammar, plus time travel.

The grammar is that of `github.com/distribution/reference`, piece by piece; what Killick adds are
the suffixes `~N` (N moves ago) and `@{time}` on a tag. A reference keeps everything that was
written: in `name:tag@digest` the digest decides, and the tag can be checked against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from killick.bounds import bound
from killick.digest import Digest
from killick.errors import BadDigest, BadReference, UsageError
from killick.moments import parse_moment, utc_now

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
MOST_PATH_CHARACTERS = bound(255, "characters", "name of a repository")

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PATH_PART}(?:/{_PATH_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_ALGORITHM = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*"
_DIGEST = rf"{_ALGORITHM}:[0-9a-fA-F]{{32,}}"

_IS_DOMAIN = re.compile(_DOMAIN)
_IS_PATH = re.compile(_PATH)
_IS_TAG = re.compile(_TAG)
_REFERENCE = re.compile(rf"({_DOMAIN})/({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?")
_HEX_64 = re.compile(r"[0-9a-f]{64}")
_BACK = re.compile(r"(.*)~([0-9]{0,9})")
_AT = re.compile(r"(.*)@\{([^{}]*)\}")


class Tag(str):
    """A tag: at most 128 of `A-Z a-z 0-9 _ . -`, and neither `.` nor `-` first.

    `Tag(text)` checks, and raises `BadReference`.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Tag:
        """Return `text` as a tag, or raise BadReference."""
        if not _IS_TAG.fullmatch(text):
            raise BadReference(
                f"{_shown(text)} is not a tag", hint="use at most 128 of A-Z a-z 0-9 _ . -"
            )
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """The name of a repository: the registry's `domain`, with its port, and the `path` in it."""

    domain: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Name:
        """Return the repository that `text` names, docker's defaults filled in.

        Raises:
            BadReference: `text` is no repository name, or has a tag or a digest.
        """
        reference = Reference.parse(text)
        if not reference.is_bare:
            raise BadReference(
                f"{_shown(text)} is not a repository name: leave off what follows it"
            )
        return reference.name

    @property
    def familiar(self) -> str:
        """The shortest form that means the same: `alpine` for `docker.io/library/alpine`."""
        # Docker would print docker.io/library/<64 hexadecimal digits> as what it refuses to read.
        return str(self) if _HEX_64.fullmatch(self.short) else self.short

    @property
    def short(self) -> str:
        """The shortest form to put a tag or a digest behind, as docker has it."""
        if self.domain != DOCKER_HUB:
            return str(self)
        head, _, rest = self.path.partition("/")
        if head == "library" and rest and "/" not in rest:
            return rest
        # Docker would print docker.io/my.host/x as my.host/x, which is another repository.
        return str(self) if _looks_like_domain(head) or not rest else self.path

    def __str__(self) -> str:
        return f"{self.domain}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference: a name, and the tag, digest or moment that were written with it.

    `back` is the N of `~N`; `moment` the text in `@{…}`. Make one with `parse`.
    """

    name: Name
    tag: Tag | None = None
    digest: Digest | None = None
    back: int | None = None
    moment: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Return the reference that `text` spells, by docker's rules and defaults.

        `alpine` is `docker.io/library/alpine`; a first part is a registry if it has a `.` or a
        `:`, is `localhost`, or has an upper-case letter.

        Raises:
            BadReference: `text` is no reference (a ValueError; the text says why).
        """
        plain, back, moment = _split_travel(text)
        match = _REFERENCE.fullmatch(_with_domain(plain, text))
        if match is None:
            raise BadReference(f"{_shown(text)} is not an image reference", hint=_HINT)
        domain, path, tag, digest = match.groups()
        if len(path) > MOST_PATH_CHARACTERS:
            raise BadReference(
                f"{_shown(text)} is not an image reference: its path has {len(path)} characters, "
                f"and {MOST_PATH_CHARACTERS} are allowed"
            )
        if digest is not None and (back is not None or moment is not None):
            raise BadReference(
                f"{_shown(text)} is not an image reference: a digest never moves, so ~N and @{{…}} "
                "can't follow one"
            )
        return cls(
            Name(domain, path),
            Tag(tag) if tag else None,
            _digest(digest, text) if digest else None,
            back,
            moment,
        )

    @property
    def is_bare(self) -> bool:
        """Whether only the name was written."""
        return self.tag is None and self.digest is None and not self.travels

    @property
    def travels(self) -> bool:
        """Whether the reference means what its tag pointed to at some other time."""
        return self.back is not None or self.moment is not None

    @property
    def effective_tag(self) -> Tag | None:
        """The tag that decides: the one written, `latest` if nothing was; None beside a digest."""
        if self.tag is not None or self.digest is not None:
            return self.tag
        return Tag(DEFAULT_TAG)

    @property
    def canonical(self) -> str:
        """The fully qualified form; `:latest` is added only where neither tag nor digest stood."""
        return f"{self.name}{self._suffix(self.effective_tag)}"

    @property
    def familiar(self) -> str:
        """The short form: what was written, without what docker's defaults add."""
        name = self.name.short if self.tag or self.digest else self.name.familiar
        return f"{name}{self._suffix(self.tag)}"

    def at(self, now: datetime) -> datetime | None:
        """Return the moment in `@{…}` as said at `now`, in UTC; None where there is none."""
        return None if self.moment is None else parse_moment(self.moment, now)

    def with_digest(self, digest: Digest) -> Reference:
        """Return this reference pinned to `digest`, without time travel."""
        return replace(self, digest=digest, back=None, moment=None)

    def _suffix(self, tag: Tag | None) -> str:
        return "".join(
            (
                f":{tag}" if tag else "",
                f"@{self.digest}" if self.digest else "",
                f"~{self.back}" if self.back is not None else "",
                f"@{{{self.moment}}}" if self.moment is not None else "",
            )
        )

    def __str__(self) -> str:
        return self.familiar


_HINT = "write it as [registry/]name[:tag][@sha256:…], in lower case but for the tag"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")


def _split_travel(text: str) -> tuple[str, int | None, str | None]:
    if match := _BACK.fullmatch(text):
        return match[1], int(match[2] or 1), None
    if match := _AT.fullmatch(text):
        try:
            parse_moment(match[2], utc_now())
        except UsageError as error:
            raise BadReference(f"{_shown(text)}: {error.message}", hint=error.hint) from None
        return match[1], None, match[2]
    return text, None, None


def _looks_like_domain(part: str) -> bool:
    return part == "localhost" or "." in part or ":" in part or part.lower() != part


def _with_domain(text: str, original: str) -> str:
    """Return `text` with docker's defaults for the registry, and `library/` on Docker Hub."""
    if _HEX_64.fullmatch(text):
        raise BadReference(
            f"{_shown(original)} is not an image reference: 64 hexadecimal digits are no name",
            hint=f"to name content by its digest, write sha256:{text[:6]}…",
        )
    head, slash, rest = text.partition("/")
    if not slash or not (_looks_like_domain(head)):
        domain, remote = DOCKER_HUB, text
    else:
        domain, remote = (DOCKER_HUB if head == "index.docker.io" else head), rest
    if domain == DOCKER_HUB and "/" not in remote:
        remote = f"library/{remote}"
    path = remote.partition(":")[0].removeprefix("library/")
    if path.lower() != path:
        raise BadReference(
            f"{_shown(original)} is not an image reference: the repository name must be lower case",
            hint=f"try {original.replace(path, path.lower(), 1)!r}",
        )
    return f"{domain}/{remote}"


def _digest(text: str, original: str) -> Digest:
    try:
        return Digest.parse(text)
    except BadDigest as error:
        raise BadReference(f"{_shown(original)}: {error.message}", hint=error.hint) from None


def is_path(text: str) -> bool:
    """Whether `text` is the path of a repository in a registry (distribution-spec, "Pulling")."""
    return len(text) <= MOST_PATH_CHARACTERS and _IS_PATH.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """Whether `text` is a registry's host, with or without a port."""
    return _IS_DOMAIN.fullmatch(text) is not None
