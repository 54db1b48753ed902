"""The arithmetic of "nothing lost, nothing twice": one cursor for the client, and a floor for every registration.

The cursor says: whoever is active has been handed every matching event up to here. An event at or below it is a
repetition and is dropped, wherever it comes from. A registration's floor says: this one gets events above this number
only. So a subscription that starts at the head does not get what an older one still has to catch up with.

A registration that asks for older events than the cursor *rewinds* it: the floors of the others rise to where the
cursor was, the cursor goes back, and one replay in seq order serves everybody. The replay of the same events is
dropped for those who had them, by their floors.

Plain numbers: no I/O, no lock. The connection thread owns it; other threads may read `cursor` and `is_active`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from task_copilot_client.cursor import Cursor, Gap

__all__ = ["Ledger"]


class Ledger:
    """The cursor and the floors. It survives connections: what it holds is where the next one resumes."""

    def __init__(self) -> None:
        self.cursor: Cursor | None = None
        self._floors: dict[int, int] = {}
        self._strangers: set[int] = set()

    def is_active(self, registration: int) -> bool:
        """Tell whether it is settled from where on the registration gets events."""
        return registration in self._floors

    def retain(self, registrations: Collection[int]) -> None:
        """Forget all registrations but these."""
        self._floors = {known: floor for known, floor in self._floors.items() if known in registrations}
        self._strangers &= set(registrations)

    def begin(self, wishes: Iterable[tuple[int, Cursor | None]]) -> Cursor | None:
        """Prepare a replay that serves all these registrations; return the cursor to ask with, None for the head.

        Repeatable: what was prepared once is not prepared again.
        """
        if self.cursor is None or not self._floors:
            self.cursor, self._floors = None, {}
        for registration, since in wishes:
            if since is not None and registration not in self._floors:
                self._rewind(registration, since)
        return self.cursor

    def _rewind(self, registration: int, since: Cursor) -> None:
        at = self.cursor
        if at is None:
            self.cursor = since
        elif not at.is_comparable(since):
            self._strangers.add(registration)  # of another log: it starts at the head, and is told what it misses
            return
        else:
            self._floors = {known: max(floor, at.seq) for known, floor in self._floors.items()}
            self.cursor = Cursor(at.epoch or since.epoch, min(at.seq, since.seq))
        self._floors[registration] = since.seq

    def acknowledge(self, registrations: Collection[int], head: Cursor | None, gap: Gap | None) -> Gap | None:
        """Take the bridge's answer: these registrations are in force since the log ended at `head`.

        Returns the gap that is to be reported. A head of None comes from a server that keeps no log.
        """
        if head is None:
            self.cursor = None
            self._strangers.difference_update(registrations)
            self._floors.update(dict.fromkeys(registrations, 0))
            return gap
        gap = self._locate(head, gap)
        if not self._strangers.isdisjoint(registrations):
            self._strangers.difference_update(registrations)
            gap = gap or _everything(head)
        for registration in registrations:
            self._floors.setdefault(registration, head.seq)
        return gap

    def _locate(self, head: Cursor, gap: Gap | None) -> Gap | None:
        """Find the cursor in the log that ends at `head`; return what is missing."""
        at = self.cursor
        if at is None or not self._floors:
            self._start_at(head)
            return gap
        if not at.is_comparable(head) or at.seq > head.seq:
            self._start_at(head)
            return gap or _everything(head)
        self.cursor = Cursor(head.epoch or at.epoch, at.seq if gap is None else max(at.seq, gap.last))
        return gap

    def _start_at(self, head: Cursor) -> None:
        self.cursor = head
        self._floors = dict.fromkeys(self._floors, head.seq)

    def is_news(self, seq: int | None) -> bool:
        """Tell whether an event has not been handed out before. Without a number nobody can know, so it is."""
        return seq is None or self.cursor is None or seq > self.cursor.seq

    def may_have(self, registration: int, seq: int | None) -> bool:
        """Tell whether the event is above the floor of the registration."""
        floor = self._floors.get(registration)
        return floor is not None and (seq is None or seq > floor)

    def passed(self, seq: int | None) -> None:
        """Note that everything up to here has been handed out: an event's number, a ping's, or the end of a gap."""
        if seq is not None and self.cursor is not None and seq > self.cursor.seq:
            self.cursor = Cursor(self.cursor.epoch, seq)


def _everything(head: Cursor) -> Gap:
    """Return the whole log as a gap; (0, 0) when it is empty, as the bridge says it too."""
    return Gap(min(1, head.seq), head.seq)
