"""Topics, patterns and the matcher: pure text rules, promises T1 to T5 of docs/protocol.md.

The matcher is written by hand because `fnmatch` gives `[` a meaning and a regular expression built from `*a*a*a*b`
backtracks for seconds on a few hundred characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from taskcopilot.errors import InvalidArgumentError, InvalidPatternError

__all__ = [
    "ENTITIES",
    "MAX_PATTERN_LENGTH",
    "MAX_STARS",
    "Pattern",
    "Room",
    "Selector",
    "Sight",
    "declare_entities",
    "glob_match",
    "topic",
]

ENTITIES: Final = {"stream", "task", "checkpoint", "agent"}
"""What topics may be about. The services add theirs when they are declared, before anything is parsed."""

MAX_PATTERN_LENGTH: Final = 128
"""Longer than any id that the tools make; bounds the work of one match together with MAX_STARS."""

MAX_STARS: Final = 8
"""A pattern with more stars than this is a typing error or an attack."""


def declare_entities(names: Iterable[str]) -> None:
    """Let topics be about these, too; to be called while modules are imported."""
    ENTITIES.update(names)


def topic(entity: str, identifier: str) -> str:
    """Build the topic `entity:identifier`.

    Raises InvalidArgumentError for an unknown entity or an empty identifier: an event without an address would
    reach only those who subscribed to everything.
    """
    if entity not in ENTITIES:
        raise InvalidArgumentError(f"unknown topic entity {entity!r}", field="entity")
    if not identifier:
        raise InvalidArgumentError(f"a {entity} topic needs an id", field=f"{entity}Id")
    return f"{entity}:{identifier}"


def glob_match(pattern: str, text: str) -> bool:
    """Tell whether `text` matches: `*` is any run of characters, `?` exactly one, all else stands for itself.

    Greedy with one step back: at most len(pattern) * len(text) character comparisons, whatever the pattern.
    """
    p = t = 0
    star, resume = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return pattern[p:].strip("*") == ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A valid subscription pattern. Compared and hashed by its text."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Check `text` against the grammar; raise InvalidPatternError that says which rule it breaks."""
        if problem := _problem(text):
            raise InvalidPatternError(
                f"Invalid topic pattern: {text[:MAX_PATTERN_LENGTH]!r}: {problem}", field="topics"
            )
        return cls(text)

    @property
    def is_exact(self) -> bool:
        """True when the pattern holds no wildcard, and so names one topic."""
        return "*" not in self.text and "?" not in self.text

    def matches(self, topic: str) -> bool:
        """Tell whether the topic matches this pattern."""
        return self.text == "*" or glob_match(self.text, topic)

    def covers(self, topic: str, rooms: Sequence[str] = ()) -> bool:  # noqa: ARG002 - rooms are for Room
        """Tell whether an event on this topic, that also goes to these rooms, is meant."""
        return self.matches(topic)


@dataclass(frozen=True, slots=True)
class Room(Pattern):
    """A room of a service, as `service/room`: what goes there is said by the event, and never by its topic.

    Not a pattern of the grammar: `*` and `?` in it stand for themselves. Never equal to a Pattern of the same text.
    """

    def covers(self, topic: str, rooms: Sequence[str] = ()) -> bool:  # noqa: ARG002 - the topic is for patterns
        """See Pattern.covers."""
        return self.text in rooms


class Sight(Protocol):
    """What somebody may see: `View` of auth/access.py. Hashable; equal ones see the same."""

    def sees(self, topics: Iterable[str]) -> bool:
        """Tell whether what is about all these topics may be seen."""
        ...


@dataclass(frozen=True, slots=True)
class Selector:
    """A pattern, the event types that are wanted of what it matches (globs, or None for all), and who asks.

    `view` is what the asking one may see, None for everything: what is not in view is not wanted.
    """

    pattern: Pattern
    types: frozenset[str] | None = None
    view: Sight | None = None

    @classmethod
    def of(cls, text: str, types: frozenset[str] | None = None) -> Selector:
        """Check the pattern; see Pattern.parse."""
        return cls(Pattern.parse(text), types)

    def wants_type(self, event_type: str) -> bool:
        """Tell whether events of this type are wanted."""
        return self.types is None or any(glob_match(glob, event_type) for glob in self.types)

    def may_see(self, topic: str, about: Sequence[str] = ()) -> bool:
        """Tell whether what is on a topic, and about others too, may be seen by who asks."""
        return self.view is None or self.view.sees((topic, *about))

    def matches(self, topic: str, event_type: str, rooms: Sequence[str] = (), about: Sequence[str] = ()) -> bool:
        """Tell whether an event is wanted."""
        return self.pattern.covers(topic, rooms) and self.wants_type(event_type) and self.may_see(topic, about)


def _problem(text: str) -> str | None:
    """Say which rule of the grammar `text` breaks, or None."""
    if text == "*":
        return None
    if len(text) > MAX_PATTERN_LENGTH:
        return f"longer than {MAX_PATTERN_LENGTH} characters"
    if text.count("*") > MAX_STARS:
        return f"more than {MAX_STARS} stars"
    if not text.isprintable():
        return "control characters"
    entity, colon, identifier = text.partition(":")
    if not colon or not identifier or not entity:
        return "expected '*' or 'entity:id'"
    if entity not in ENTITIES and "*" not in entity and "?" not in entity:
        return f"unknown entity {entity!r}; known are {', '.join(sorted(ENTITIES))}"
    return None
