"""What a caller may do, and what it may see. The one place that says which token sees what.

A token sees a topic when one of its patterns matches it. What belongs to a task (events, checkpoints, work products,
the agents at it) is seen when the topic `task:<id>` of the task is, or the topic `stream:<id>` of the task's stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from taskcopilot.errors import InvalidArgumentError, RefusedError
from taskcopilot.topics import Pattern, Room, glob_match

__all__ = ["EVERYTHING", "NOTHING", "Access", "Scope", "View", "forbidden", "parse_scopes", "parse_topics"]

MAX_TOPICS: Final = 50
"""Patterns of one token: each is asked for each event."""


class Scope(StrEnum):
    """A right. `admin` includes the others; `write` does not include `read`."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class View:
    """The part of the workspace that a token may see. A value: equal views share groups and answers."""

    patterns: frozenset[Pattern]

    def sees(self, topics: Iterable[str]) -> bool:
        """Tell whether what is about all these topics is in view: one of them is enough."""
        return any(pattern.matches(topic) for topic in topics for pattern in self.patterns)

    def sees_stream(self, stream_id: str) -> bool:
        """Tell whether a stream is in view."""
        return self.sees((f"stream:{stream_id}",))

    def sees_task(self, task_id: str, stream_id: str | None) -> bool:
        """Tell whether a task, and so what belongs to it, is in view."""
        return self.sees((f"task:{task_id}",) if not stream_id else (f"task:{task_id}", f"stream:{stream_id}"))

    def covers(self, pattern: Pattern) -> bool:
        """Tell whether everything that the pattern could match is in view; a room is, when it has such a topic's name.

        `*` means "all that is in view", and so always is. Errs on the side of no where several patterns together, or
        stars beside question marks, would be needed to tell.
        """
        if isinstance(pattern, Room):
            return self.sees((pattern.text.partition("/")[2],))
        return pattern.text == "*" or any(_covers(own.text, pattern.text) for own in self.patterns)

    def covers_entities(self, entities: Iterable[str]) -> bool:
        """Tell whether all topics of these entities are in view, of which there is at least one."""
        named = tuple(entities)
        return bool(named) and all(self.covers(Pattern(f"{entity}:*")) for entity in named)


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller may do: its scopes, and what it may see and change; None for everything."""

    scopes: frozenset[Scope]
    view: View | None = None

    def allows(self, scope: Scope) -> bool:
        """Tell whether the caller has a right."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def sight(self) -> View | None:
        """What the caller gets of what happens, None for everything: without the scope `read` nothing."""
        return self.view if self.allows(Scope.READ) else NOTHING.view

    def require(self, scope: Scope) -> None:
        """Raise RefusedError (FORBIDDEN) without the right."""
        if not self.allows(scope):
            raise forbidden(f"this needs the scope {scope.value}, which the token does not have")


EVERYTHING: Final = Access(frozenset(Scope))
"""The local user, and everybody where authentication is off."""

NOTHING: Final = Access(frozenset(), View(frozenset()))
"""Who has not shown a token yet."""


def forbidden(message: str, *, field: str | None = None) -> RefusedError:
    """Return the error for who is known and may not."""
    return RefusedError(message, code="FORBIDDEN", status=403, field=field)


def parse_scopes(texts: Iterable[str], field: str = "scopes") -> frozenset[Scope]:
    """Read scopes; raises InvalidArgumentError that names the field, also for none at all."""
    try:
        scopes = frozenset(Scope(text) for text in texts)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}; there are {', '.join(Scope)}", field=field) from None
    if not scopes:
        raise InvalidArgumentError(f"{field}: expected some of {', '.join(Scope)}", field=field)
    return scopes


def parse_topics(texts: Iterable[str]) -> View | None:
    """Read the patterns of a token; None, everything, when `*` is among them or there are none.

    Raises InvalidPatternError for a text that is no pattern, and InvalidArgumentError for too many.
    """
    patterns = frozenset(Pattern.parse(text) for text in texts)
    if len(patterns) > MAX_TOPICS:
        raise InvalidArgumentError(f"topics: more than {MAX_TOPICS} patterns", field="topics")
    return None if not patterns or Pattern("*") in patterns else View(patterns)


def _covers(own: str, asked: str) -> bool:
    """Tell whether `own` matches whatever `asked` does: a wildcard of `asked` has to fall to one that takes as much."""
    return own == "*" or (not ("?" in own and "*" in asked) and glob_match(own, asked))
