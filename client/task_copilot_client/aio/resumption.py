"""Where a client of a service is in the log: which rooms it is in, what it has, and where it resumes. No I/O.

While nothing is being replayed, events come in the order of the log, and one number says it all: `floor`. A room that
is replayed from an older place has a place of its own until the service says that everything was sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from task_copilot_client.cursor import Cursor

__all__ = ["Resumption", "Stretch"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rooms that are asked for at once, and from where; None is from now on."""

    rooms: tuple[str, ...]
    since: Cursor | None


class Resumption:
    """What `ChannelClient` knows of the log. Every event that it lets pass, it lets pass once."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self._floor: int | None = None
        self._rooms: dict[str, int | None] = {}
        """Where each room is to be resumed as long as it is behind; None: at the floor."""
        self._seen: set[int] = set()
        """What has passed while the floor could not move."""
        self._target = 0

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that the client is in."""
        return tuple(self._rooms)

    @property
    def cursor(self) -> Cursor | None:
        """The place up to which everything has passed, but for rooms that are being replayed from an older one."""
        return None if self._floor is None else Cursor(self.epoch, self._floor)

    @property
    def is_settled(self) -> bool:
        """True when nothing is being replayed."""
        return not self._target

    def joined(self, rooms: Iterable[str], since: int | None, epoch: str | None, head: int | None) -> bool:
        """Note a granted subscribe, `head` being the log's; False when the log is another one than before."""
        is_same = self.epoch is None or epoch is None or epoch == self.epoch
        if not is_same:
            self._forget()
        place = head if since is None or not is_same else since
        self._rooms.update(dict.fromkeys(rooms, place))
        if head is None:
            return is_same
        self.epoch = epoch or self.epoch
        if self._floor is None:
            self._floor = head
        self._target = max(self._target, head)
        return is_same

    def left(self, rooms: Iterable[str]) -> None:
        """Note that the client is no longer in the rooms."""
        for room in rooms:
            self._rooms.pop(room, None)

    def admits(self, seq: int | None) -> bool:
        """Tell whether an event is news, and note that it has passed. What has no number is always news."""
        if seq is None:
            return True
        if seq in self._seen or (self.is_settled and self._floor is not None and seq <= self._floor):
            return False
        if self.is_settled:
            self._floor = seq
        else:
            self._seen.add(seq)
        return True

    def complete(self, seq: int | None) -> None:
        """Note what the service says: everything up to the number was sent. None is a service that keeps no log."""
        if seq is not None and seq < self._target:
            return
        self._target = 0
        self._rooms = dict.fromkeys(self._rooms)
        self._floor = self._floor if seq is None else max(seq, self._floor or 0)
        self._seen = {passed for passed in self._seen if self._floor is not None and passed > self._floor}

    def stretches(self) -> list[Stretch]:
        """Return what to ask for after a reconnect, the oldest first. To be followed by `complete`."""
        by_place: dict[int | None, list[str]] = defaultdict(list)
        for room, place in self._rooms.items():
            by_place[self._floor if place is None else place].append(room)
        places = sorted(by_place, key=lambda place: -1 if place is None else place)
        return [
            Stretch(tuple(by_place[place]), None if place is None else Cursor(self.epoch, place)) for place in places
        ]

    def _forget(self) -> None:
        self.epoch, self._floor, self._target = None, None, 0
        self._seen = set()
        self._rooms = dict.fromkeys(self._rooms)
