"""From an event's topic and type to those who want it, without asking everybody.

Three shelves, by the shape of the pattern: exact topics, rooms, and globs. Answers are kept until a selector comes or
goes: the same few topics come again and again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from taskcopilot.bridge.glob_shelf import GlobShelf
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
        self._globs: GlobShelf[_Place[Owner]] = GlobShelf()
        self._viewers: set[_Place[Owner]] = set()
        """Those who may not see everything: only for them it matters what else an event is about."""
        self._answers: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], tuple[Owner, ...]] = {}

    def add(self, owner: Owner, selectors: Iterable[Selector]) -> None:
        """Let the owner have what these selectors match, too."""
        self._answers.clear()
        for selector in selectors:
            place = owner, selector
            if selector.view is not None:
                self._viewers.add(place)
            if (shelf := self._shelf(selector.pattern)) is None:
                self._globs.add(selector.pattern, place)
            else:
                shelf.setdefault(selector.pattern.text, set()).add(place)

    def remove(self, owner: Owner, selectors: Iterable[Selector]) -> None:
        """Undo `add`; selectors that the owner does not hold are passed over."""
        self._answers.clear()
        for selector in selectors:
            place = owner, selector
            self._viewers.discard(place)
            if (shelf := self._shelf(selector.pattern)) is None:
                self._globs.discard(selector.pattern, place)
            elif places := shelf.get(selector.pattern.text):
                places.discard(place)
                if not places:
                    del shelf[selector.pattern.text]

    def match(
        self, topic: str, event_type: str, rooms: tuple[str, ...] = (), about: tuple[str, ...] = ()
    ) -> tuple[Owner, ...]:
        """Return the owners of all selectors that match, each once, in no particular order."""
        key = (topic, event_type, rooms, about if self._viewers else ())
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = tuple(
                {
                    owner
                    for owner, selector in self._candidates(topic, rooms)
                    if selector.wants_type(event_type) and selector.may_see(topic, about)
                }
            )
        return answer

    def __len__(self) -> int:
        return sum(map(len, (*self._exact.values(), *self._rooms.values()))) + len(self._globs)

    def match_rooms(self, rooms: tuple[str, ...], topic: str, about: tuple[str, ...] = ()) -> set[Owner]:
        """Return who is in any of the rooms, and may see what goes there."""
        return {
            owner for room in rooms for owner, selector in self._rooms.get(room, ()) if selector.may_see(topic, about)
        }

    def _candidates(self, topic: str, rooms: tuple[str, ...]) -> Iterator[_Place[Owner]]:
        yield from self._exact.get(topic, ())
        for room in rooms:
            yield from self._rooms.get(room, ())
        yield from self._globs.matching(topic)

    def _shelf(self, pattern: Pattern) -> _Shelf[Owner] | None:
        """Return the dictionary that the pattern stands in by its text, None for a glob."""
        if isinstance(pattern, Room):
            return self._rooms
        return self._exact if pattern.is_exact else None
