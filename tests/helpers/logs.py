"""An event log in memory, for tests of what stands above the log."""

from __future__ import annotations

import asyncio

from taskcopilot.errors import StoreBusyError
from taskcopilot.events import Event
from taskcopilot.store.event_log import LogState


class MemoryLog:
    """Keeps events in a list; can be pruned, and made to refuse reads."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pruned_to = 0
        self.failures = 0
        self.reads = 0
        self.turns = 3

    def append(self, *topics: str) -> list[Event]:
        """Commit one event per topic."""
        first = len(self.events) + 1
        fresh = [
            Event(seq, "2026-01-08T12:00:00.000Z", topic, "task.updated", b"{}")
            for seq, topic in enumerate(topics, first)
        ]
        self.events += fresh
        return fresh

    @property
    def state(self) -> LogState:
        """The log as it is."""
        return LogState("epoch", len(self.events), self.pruned_to)

    async def read_log(self, after: int, limit: int) -> tuple[LogState, list[Event]]:
        """See Log. Takes some turns of the event loop, as a thread does."""
        self.reads += 1
        found = self._page(after, limit)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise StoreBusyError("busy")
        return found

    def _page(self, after: int, limit: int) -> tuple[LogState, list[Event]]:
        start = max(after, self.pruned_to)
        return self.state, self.events[start : start + limit]
