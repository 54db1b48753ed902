"""What one client is subscribed to, and from where on: the part of the delivery promise that is plain arithmetic.

A pattern is held from a number on: the client has, or is about to get, every event after it that the pattern matches.
An event is wanted when any held pattern matches it and was held from before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taskcopilot.events import Event
from taskcopilot.topics import Pattern

__all__ = ["Holdings", "Replay"]


class Holdings:
    """Patterns and the number that each is held from."""

    def __init__(self, after: dict[Pattern, int] | None = None) -> None:
        self._after: dict[Pattern, int] = {} if after is None else after

    def __len__(self) -> int:
        return len(self._after)

    def __contains__(self, pattern: Pattern) -> bool:
        return pattern in self._after

    @property
    def patterns(self) -> frozenset[Pattern]:
        """The patterns held: what makes two clients members of one group."""
        return frozenset(self._after)

    def wants(self, event: Event) -> bool:
        """Tell whether the client is to get this event."""
        return any(after < event.seq and pattern.matches(event.topic) for pattern, after in self._after.items())

    def hold(self, patterns: Iterable[Pattern], after: int) -> None:
        """Hold the patterns from `after` on, or from earlier where they already are."""
        for pattern in patterns:
            self._after[pattern] = min(after, self._after.get(pattern, after))

    def drop(self, patterns: Iterable[Pattern]) -> None:
        """Hold the patterns no longer."""
        for pattern in patterns:
            self._after.pop(pattern, None)

    def copy(self) -> Holdings:
        """Return what is held now; later changes do not show in it."""
        return Holdings(dict(self._after))


@dataclass(slots=True)
class Replay:
    """A stretch of the log that a subscribe asked for: events after `after` up to `until`.

    `already` is what the client held before it asked: what that covers was delivered, or will be, and is left out.
    """

    patterns: Sequence[Pattern]
    after: int
    until: int
    already: Holdings

    def wants(self, event: Event, holdings: Holdings) -> bool:
        """Tell whether this event belongs to the replay, for a client that holds `holdings` by now."""
        return (
            event.seq <= self.until
            and any(pattern in holdings and pattern.matches(event.topic) for pattern in self.patterns)
            and not self.already.wants(event)
        )
