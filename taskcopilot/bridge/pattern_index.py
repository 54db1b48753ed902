"""From an event's topic and type to those who want it, without asking everybody.

Five shelves, by the shape of the pattern: exact topics, rooms and `entity:*` are dictionary look-ups, `*` is one shelf,
and only the other globs are tried one by one. Answers are kept until a selector comes or goes: the same few topics come
again and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from taskcopilot.topics import Pattern, Room, Selector

__all__ = ["PatternIndex"]

Owner = TypeVar("Owner", bound=Hashable)

_REMEMBERED: Final = 4_096
"""Answers that are kept; beyond that the memory starts anew."""

_Place = tuple[Owner, Selector]
_Shelf = dict[str, set[_Place[Owner]]]


class PatternIndex(Generic[Owner]):
    """Selectors and their owners. An owner appears once in an answer, whatever number of its selectors match."""

    def __init__(self) -> None:
        self._exact: _Shelf[Owner] = {}
        self._rooms: _Shelf[Owner] = {}
        self._entities: _Shelf[Owner] = {}
        self._globs: dict[Pattern, set[_Place[Owner]]] = {}
        self._everything: set[_Place[Owner]] = set()
        self._answers: dict[tuple[str, str, tuple[str, ...]], tuple[Owner, ...]] = {}

    def add(self, owner: Owner, selectors: Iterable[Selector]) -> None:
        """Let the owner have what these selectors match, too."""
        self._answers.clear()
        for selector in selectors:
            self._shelf(selector.pattern).add((owner, selector))

    def remove(self, owner: Owner, selectors: Iterable[Selector]) -> None:
        """Undo `add`; selectors that the owner does not hold are passed over."""
        self._answers.clear()
        for selector in selectors:
            self._shelf(selector.pattern).discard((owner, selector))
            self._tidy(selector.pattern)

    def match(self, topic: str, event_type: str, rooms: tuple[str, ...] = ()) -> tuple[Owner, ...]:
        """Return the owners of all selectors that match, each once, in no particular order."""
        key = (topic, event_type, rooms)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = tuple(
                {owner for owner, selector in self._candidates(topic, rooms) if selector.wants_type(event_type)}
            )
        return answer

    def __len__(self) -> int:
        shelves = (
            *self._exact.values(),
            *self._rooms.values(),
            *self._entities.values(),
            *self._globs.values(),
            self._everything,
        )
        return sum(map(len, shelves))

    def match_rooms(self, rooms: tuple[str, ...]) -> set[Owner]:
        """Return who is in any of the rooms."""
        return {owner for room in rooms for owner, _ in self._rooms.get(room, ())}

    def _candidates(self, topic: str, rooms: tuple[str, ...]) -> Iterator[_Place[Owner]]:
        yield from self._everything
        yield from self._exact.get(topic, ())
        yield from self._entities.get(topic.partition(":")[0], ())
        for room in rooms:
            yield from self._rooms.get(room, ())
        for pattern, places in self._globs.items():
            if pattern.matches(topic):
                yield from places

    def _shelf(self, pattern: Pattern) -> set[_Place[Owner]]:
        if isinstance(pattern, Room):
            return self._rooms.setdefault(pattern.text, set())
        if pattern.text == "*":
            return self._everything
        if pattern.is_exact:
            return self._exact.setdefault(pattern.text, set())
        if entity := pattern.entity_of_all:
            return self._entities.setdefault(entity, set())
        return self._globs.setdefault(pattern, set())

    def _tidy(self, pattern: Pattern) -> None:
        """Forget a shelf that nobody is on: clients come and go for weeks."""
        if isinstance(pattern, Room):
            if not self._rooms.get(pattern.text, True):
                del self._rooms[pattern.text]
        elif not self._exact.get(pattern.text, True):
            del self._exact[pattern.text]
        elif not self._globs.get(pattern, True):
            del self._globs[pattern]
        elif (entity := pattern.entity_of_all) and not self._entities.get(entity, True):
            del self._entities[entity]
