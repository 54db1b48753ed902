"""The newest events in memory, each encoded once: the common catch-up never touches the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.protocol import encode_event
from taskcopilot.events import Event

__all__ = ["Encoded", "Window"]


class Encoded:
    """An event and its bytes, made when first asked for and shared by everybody."""

    __slots__ = ("_envelope", "_frame", "_others", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._envelope: bytes | None = None
        self._frame: bytes | None = None
        self._others: dict[object, bytes] | None = None

    @property
    def envelope(self) -> bytes:
        """The event as JSON."""
        if self._envelope is None:
            self._envelope = encode_event(self.event)
        return self._envelope

    @property
    def frame(self) -> bytes:
        """The event as one WebSocket frame."""
        if self._frame is None:
            self._frame = text_frame(self.envelope)
        return self._frame

    def encoded(self, key: object, encode: Callable[[], bytes]) -> bytes:
        """Return the event's bytes for another wire, made once per key."""
        if self._others is None:
            self._others = {}
        if key not in self._others:
            self._others[key] = encode()
        return self._others[key]


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
