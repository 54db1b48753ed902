"""What one client is subscribed to, and from where on: the part of the delivery promise that is plain arithmetic.

A selector (a pattern, and perhaps the types wanted of it) is held from a number on: the client has, or is about to get,
every event after it that the selector matches. An event is wanted when any held selector matches it and was held from
before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from taskcopilot.events import Event
from taskcopilot.topics import Pattern, Selector, Sight

__all__ = ["Holdings", "Replay"]


class Holdings:
    """Selectors and the number that each is held from."""

    def __init__(self, after: dict[Selector, int] | None = None) -> None:
        self._after: dict[Selector, int] = {} if after is None else after

    def __len__(self) -> int:
        return len(self._after)

    def __contains__(self, selector: Selector) -> bool:
        return selector in self._after

    @property
    def selectors(self) -> frozenset[Selector]:
        """The selectors held: what makes two clients members of one group."""
        return frozenset(self._after)

    @property
    def patterns(self) -> frozenset[Pattern]:
        """The patterns of the selectors: what limits and unsubscribing go by."""
        return frozenset(selector.pattern for selector in self._after)

    def wants(self, event: Event) -> bool:
        """Tell whether the client is to get this event."""
        return any(
            after < event.seq and selector.matches(event.topic, event.type, event.rooms, event.about)
            for selector, after in self._after.items()
        )

    def hold(self, selectors: Iterable[Selector], after: int) -> None:
        """Hold the selectors from `after` on, or from earlier where they already are."""
        for selector in selectors:
            self._after[selector] = min(after, self._after.get(selector, after))

    def drop(self, patterns: Iterable[Pattern]) -> None:
        """Hold nothing of these patterns any longer, whatever types were asked for."""
        going = set(patterns)
        for selector in [selector for selector in self._after if selector.pattern in going]:
            del self._after[selector]

    def look_through(self, view: Sight | None) -> None:
        """Hold the same of what somebody else may see."""
        self._after = {replace(selector, view=view): after for selector, after in self._after.items()}

    def copy(self) -> Holdings:
        """Return what is held now; later changes do not show in it."""
        return Holdings(dict(self._after))


@dataclass(slots=True)
class Replay:
    """A stretch of the log that a subscribe asked for: events after `after` up to `until`.

    `already` is what the client held before it asked: what that covers was delivered, or will be, and is left out.
    """

    selectors: Sequence[Selector]
    after: int
    until: int
    already: Holdings

    def wants(self, event: Event, holdings: Holdings) -> bool:
        """Tell whether this event belongs to the replay, for a client that holds `holdings` by now."""
        return (
            event.seq <= self.until
            and any(
                selector in holdings and selector.matches(event.topic, event.type, event.rooms, event.about)
                for selector in self.selectors
            )
            and not self.already.wants(event)
        )

    def look_through(self, view: Sight | None) -> None:
        """Replay the same stretch of what somebody else may see."""
        self.selectors = [replace(selector, view=view) for selector in self.selectors]
