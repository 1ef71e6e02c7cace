"""Tags that a rule keeps where they are: what may still happen to them, and what others are told.

Such a tag is made once. From then on it stays: it can be pushed again with the same content, which
is no move, and nothing else. It is not deleted either; and one that was deleted before there was
the rule, or by somebody who overrode it, only comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from killick.digest import Digest
from killick.errors import Immutable
from killick.moments import rfc3339
from killick.names import Tag
from killick.repository import Cause, Move
from killick.rules import Immutable as Rule
from killick.rules import covering


def overrides(
    rules: Sequence[Rule],
    move: tuple[str, Tag, Digest | None, Cause],
    last: Callable[[], Move | None],
    *,
    stands: bool,
) -> bool:
    """Return whether a move (repository, tag, to, cause) is one that overrides a rule.

    `last` returns the newest move of the tag that gave it something; `stands`: it still has that.

    Raises:
        Immutable: a rule forbids the move, and the cause does not override it.
    """
    repository, tag, to, cause = move
    rule = covering(rules, repository, tag)
    made = last() if rule is not None else None
    if rule is None or made is None or made.to is None or made.to.digest == to:
        return False
    if cause.overriding:
        return True
    raise _refusal(rule, repository, made, stands=stands)


def _refusal(rule: Rule, repository: str, made: Move, *, stands: bool) -> Immutable:
    digest = made.to.digest if made.to is not None else None
    since, actor = rfc3339(made.time), made.cause.actor
    when = f"{made.time:%Y-%m-%dT%H:%M:%SZ}"
    text = f"it stands at {digest} since {when}, by {actor}"
    if not stands:
        text = f"it was removed, and only comes back as {digest} ({when}, by {actor})"
    return Immutable(
        f"{repository}:{made.tag} is immutable: {text}",
        detail={
            "repository": repository,
            "tag": made.tag,
            "digest": str(digest),
            "since": since,
            "actor": actor,
            "rule": str(rule),
        },
        hint="push under another tag; an admin can override the rule",
    )
