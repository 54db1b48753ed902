"""From a topic to those whose patterns it matches, without asking everybody.

Four shelves, by the shape of the pattern: exact topics and `entity:*` are dictionary look-ups, `*` is a set, and only
the other globs are tried one by one. Answers are kept until a pattern comes or goes: the same few topics come again
and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

from taskcopilot.topics import Pattern

__all__ = ["PatternIndex"]

Owner = TypeVar("Owner", bound=Hashable)

_REMEMBERED: Final = 4_096
"""Topics whose answer is kept; beyond that the memory starts anew."""

_Shelf = dict[str, set[Owner]]


class PatternIndex(Generic[Owner]):
    """Patterns and their owners. An owner appears once in an answer, whatever number of its patterns match."""

    def __init__(self) -> None:
        self._exact: _Shelf[Owner] = {}
        self._entities: _Shelf[Owner] = {}
        self._globs: dict[Pattern, set[Owner]] = {}
        self._everything: set[Owner] = set()
        self._answers: dict[str, tuple[Owner, ...]] = {}

    def add(self, owner: Owner, patterns: Iterable[Pattern]) -> None:
        """Let the owner have what these patterns match, too."""
        self._answers.clear()
        for pattern in patterns:
            self._shelf(pattern).add(owner)

    def remove(self, owner: Owner, patterns: Iterable[Pattern]) -> None:
        """Undo `add`; patterns that the owner does not hold are passed over."""
        self._answers.clear()
        for pattern in patterns:
            self._shelf(pattern).discard(owner)
            self._tidy(pattern)

    def match(self, topic: str) -> tuple[Owner, ...]:
        """Return the owners of all patterns that match the topic, each once, in no particular order."""
        answer = self._answers.get(topic)
        if answer is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            answer = self._answers[topic] = self._look_up(topic)
        return answer

    def __len__(self) -> int:
        shelves = (*self._exact.values(), *self._entities.values(), *self._globs.values(), self._everything)
        return sum(map(len, shelves))

    def _look_up(self, topic: str) -> tuple[Owner, ...]:
        found = set(self._everything)
        found.update(self._exact.get(topic, ()), self._entities.get(topic.partition(":")[0], ()))
        for pattern, owners in self._globs.items():
            if pattern.matches(topic):
                found.update(owners)
        return tuple(found)

    def _shelf(self, pattern: Pattern) -> set[Owner]:
        if pattern.text == "*":
            return self._everything
        if pattern.is_exact:
            return self._exact.setdefault(pattern.text, set())
        if entity := pattern.entity_of_all:
            return self._entities.setdefault(entity, set())
        return self._globs.setdefault(pattern, set())

    def _tidy(self, pattern: Pattern) -> None:
        """Forget a shelf that nobody is on: clients come and go for weeks."""
        if not self._exact.get(pattern.text, True):
            del self._exact[pattern.text]
        elif not self._globs.get(pattern, True):
            del self._globs[pattern]
        elif (entity := pattern.entity_of_all) and not self._entities.get(entity, True):
            del self._entities[entity]
