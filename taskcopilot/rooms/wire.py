"""How the hub's events are written in the room protocol: one frame per event, encoded once per room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskcopilot.bridge.cursor import Gap
from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.window import Encoded
from taskcopilot.clock import Clock, iso
from taskcopilot.rooms.answers import encode_event, encode_gap

__all__ = ["RoomWire"]


@dataclass(frozen=True, slots=True)
class RoomWire:
    """The wire of who is in some rooms of a service. An event has one id, its cursor, however often it is sent."""

    clock: Clock
    epoch: str
    service: str
    rooms: frozenset[str] = frozenset()
    """The rooms that the member is in, as `service/room`."""
    own: str | None = None
    """The mark of what the member published itself, and does not get back."""
    delay: float = 0.0
    most: int = 1

    def join(self, entries: Sequence[Encoded], *, replayed: bool = False) -> bytes:
        """See Wire."""
        return b"".join(self._frame(entry, replayed) for entry in entries if self.own not in entry.event.rooms)

    def gap(self, gap: Gap) -> bytes:
        """See Wire."""
        return text_frame(encode_gap(self.clock.new_id(), iso(self.clock.now()), gap))

    def _frame(self, entry: Encoded, replayed: bool) -> bytes:
        address = next((room for room in entry.event.rooms if room in self.rooms), entry.event.rooms[0])
        if replayed:
            return self._encode(entry, address, replayed=True)
        return entry.encoded(address, lambda: self._encode(entry, address))

    def _encode(self, entry: Encoded, address: str, *, replayed: bool = False) -> bytes:
        event = entry.event
        message_id = f"{self.epoch}:{event.seq}" if event.seq else self.clock.new_id()
        name = event.type.removeprefix(f"{self.service}.")
        room = address.removeprefix(f"{self.service}/")
        return text_frame(encode_event(event, message_id, name, room, replayed=replayed))
