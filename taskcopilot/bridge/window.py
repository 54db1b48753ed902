"""The newest events in memory, each encoded once: the common catch-up never touches the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from taskcopilot.bridge.cursor import Gap
from taskcopilot.events import Event

__all__ = ["Encoded", "Window", "Wire"]


class Wire(Protocol):
    """How a transport writes what the hub delivers. Compared by identity: one object per kind of transport."""

    def event(self, event: Event, *, replayed: bool) -> bytes:
        """Return an event as the transport's bytes."""
        ...

    def gap(self, gap: Gap) -> bytes:
        """Return the notice that events are gone."""
        ...


class Encoded:
    """An event and its bytes per wire, made when first asked for."""

    __slots__ = ("_frames", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._frames: dict[Wire, bytes] = {}

    def frame(self, wire: Wire) -> bytes:
        """Return the event's bytes; the same object for everybody who shares the wire."""
        frame = self._frames.get(wire)
        if frame is None:
            frame = self._frames[wire] = wire.event(self.event, replayed=False)
        return frame


class Window:
    """Up to `limit` events without a hole, the newest last."""

    def __init__(self, limit: int) -> None:
        self._recent: deque[Encoded] = deque(maxlen=limit)

    def append(self, entry: Encoded) -> None:
        """Add the next event; after a hole in the numbers the window starts anew."""
        if self._recent and entry.event.seq != self._recent[-1].event.seq + 1:
            self._recent.clear()
        self._recent.append(entry)

    def after(self, seq: int, limit: int) -> Sequence[Encoded] | None:
        """Return up to `limit` entries after a number, or None when the window does not reach back that far."""
        if not self._recent or seq + 1 < (first := self._recent[0].event.seq):
            return None
        skip = max(0, seq + 1 - first)
        return list(islice(self._recent, skip, skip + limit))
