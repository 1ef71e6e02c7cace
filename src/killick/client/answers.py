"""What a registry's refusal means: status and error body, to one error of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from killick import strictjson
from killick.client.retry import seconds
from killick.errors import (
    BlobUnknown,
    Conflict,
    ContentError,
    Denied,
    DigestMismatch,
    KillickError,
    LimitExceeded,
    ManifestUnknown,
    NameUnknown,
    ProtocolError,
    RateLimited,
    TagUnknown,
    Unauthorized,
    Unreachable,
    Unsupported,
    UploadUnknown,
)

if TYPE_CHECKING:
    from killick.client.messages import Response

MOST_ERROR_BYTES = 64 * 1024

_MOST_CHARACTERS = 200

Kind = Literal["tag", "manifest", "blob", "upload", "repository", "registry", "token"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request was about: `name` is what people call it (`golftrack:1.5`)."""

    kind: Kind
    name: str
    domain: str = ""

    @property
    def phrase(self) -> str:
        """The thing in a sentence."""
        return self.name if self.kind in ("tag", "registry") else f"{self.kind} {self.name}"


_UNKNOWN: dict[str, type[KillickError]] = {
    "tag": TagUnknown,
    "manifest": ManifestUnknown,
    "blob": BlobUnknown,
    "upload": UploadUnknown,
    "repository": NameUnknown,
    "registry": ProtocolError,
    "token": ProtocolError,
}

_BY_CODE: dict[str, type[KillickError]] = {
    "NAME_UNKNOWN": NameUnknown,
    "BLOB_UNKNOWN": BlobUnknown,
    "BLOB_UPLOAD_UNKNOWN": UploadUnknown,
    "MANIFEST_BLOB_UNKNOWN": BlobUnknown,
    "DIGEST_INVALID": DigestMismatch,
    "SIZE_INVALID": DigestMismatch,
    "MANIFEST_INVALID": ContentError,
    "MANIFEST_UNVERIFIED": ContentError,
    "NAME_INVALID": Denied,
    "UNSUPPORTED": Unsupported,
    "TOOMANYREQUESTS": RateLimited,
}

_BY_STATUS: dict[int, type[KillickError]] = {
    405: Unsupported,
    409: Conflict,
    412: Conflict,
    413: LimitExceeded,
    501: Unsupported,
}


def failure(response: Response, asked: Asked) -> KillickError:
    """Return the error that a refusal amounts to; reads and closes the answer.

    What the registry says is quoted, cut to 200 characters and without control characters.
    """
    status = response.status
    retry_after = seconds(response.header("Retry-After"))
    code, said = _reason(response)
    if status == 401:
        return _unauthorized(asked, said)
    if status == 403:
        return Denied(
            _sentence(f"{_where(response)} denies access to {asked.phrase}", said), side="remote"
        )
    if status == 429:
        return _rate_limited(response, asked, retry_after)
    if status == 404:
        return _unknown(asked, code)
    if status >= 500 and status != 501:
        message = f"{_where(response)} fails to answer for {asked.phrase} (status {status})"
        return Unreachable(_sentence(message, said), side="remote", hint="try again later")
    found = _BY_CODE.get(code) or _BY_STATUS.get(status) or ProtocolError
    message = f"{_where(response)} refuses {asked.phrase} (status {status})"
    # What Go's and nginx's TLS servers answer to plain HTTP, in words of their own.
    perhaps_tls = status == 400 and not code and response.url.origin.scheme == "http"
    hint = "if it speaks TLS: use --tls, and no --plain-http" if perhaps_tls else None
    return found(_sentence(message, said), side="remote", hint=hint)


def _unknown(asked: Asked, code: str) -> KillickError:
    kind = _UNKNOWN[asked.kind]
    if kind is ProtocolError:
        return kind(f"{asked.name} is not a registry (status 404)", side="remote")
    if code == "NAME_UNKNOWN" and asked.kind in ("tag", "manifest", "repository"):
        kind = NameUnknown
    hint = f"killick tags {asked.name.rpartition(':')[0]} lists what there is"
    return kind(
        f"{asked.phrase} does not exist", side="remote", hint=hint if kind is TagUnknown else None
    )


def unexpected(response: Response, asked: Asked) -> KillickError:
    """Return the error of an answer that ought to be JSON of the registry, and is not."""
    kind = media_type(response) or "no content type"
    return ProtocolError(
        f"{_where(response)} answers for {asked.phrase} with something that is not of a registry "
        f"({kind[:80]!r})",
        side="remote",
        hint="check the host and the port; a proxy or a login page may be in between",
    )


def media_type(response: Response) -> str:
    """Return the media type of an answer, without its parameters, in lower case."""
    return (response.header("Content-Type") or "").partition(";")[0].strip().lower()


def printable(text: str) -> str:
    """Return what a stranger said as it may be shown: on one line, no controls, not too long."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:_MOST_CHARACTERS]


def _unauthorized(asked: Asked, said: str) -> KillickError:
    hint = f"killick login {asked.domain}" if asked.domain else None
    message = f"{asked.phrase} does not exist, or needs a login that allows this"
    if asked.kind in ("registry", "token"):
        message = f"{asked.phrase} wants a login"
    return Unauthorized(_sentence(message, said), side="remote", hint=hint)


def _rate_limited(response: Response, asked: Asked, retry_after: float | None) -> KillickError:
    when = f", and asks to wait {retry_after:.0f} s" if retry_after else ""
    hint = "try again later"
    if response.url.origin.host.endswith("docker.io"):
        hint = "killick login docker.io raises Docker Hub's limit"
    return RateLimited(
        f"{_where(response)} allows no more requests for now{when} ({asked.phrase})",
        side="remote",
        hint=hint,
    )


def _where(response: Response) -> str:
    return response.url.origin.netloc


def _sentence(message: str, said: str) -> str:
    return f"{message}: {said}" if said else message


def _reason(response: Response) -> tuple[str, str]:
    """Return the first code and message of a registry's error body, or empty texts."""
    with response:
        try:
            fields = strictjson.loads(response.read(MOST_ERROR_BYTES), "the error")
        except KillickError:
            return "", ""
    errors = fields.get("errors") if isinstance(fields, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    code, said = first.get("code"), first.get("message")
    return (
        code if isinstance(code, str) else "",
        printable(said).rstrip(".") if isinstance(said, str) else "",
    )
