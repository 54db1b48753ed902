"""Reading the event log from a cursor on, filtered by patterns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.store.event_log import PAGE
from taskcopilot.topics import Pattern

__all__ = ["LogReader", "parse_patterns"]


def parse_patterns(texts: Iterable[str]) -> tuple[Pattern, ...]:
    """Read patterns, each of which may be a comma list; none means all topics. Raises InvalidPatternError."""
    parts = [part for text in texts for part in text.split(",") if part]
    return tuple(map(Pattern.parse, parts or ["*"]))


class LogReader:
    """A position in the log that moves forward. `pages` never waits: it ends at the head."""

    def __init__(self, core: Core, patterns: Sequence[Pattern], after: int) -> None:
        self._core = core
        self._patterns = patterns
        self._after = after

    async def start(self, since: Cursor) -> Gap | None:
        """Move to a cursor and return what is missing behind it."""
        position = since.locate(await self._core.database.log_state())
        self._after = position.after
        return position.gap

    async def pages(self) -> AsyncIterator[tuple[Gap | None, list[Event]]]:
        """Yield what follows, page by page: the gap before it, if any, and the events that match."""
        while True:
            state, page = await self._core.database.read_log(self._after)
            gap = Gap(self._after + 1, state.pruned_to) if self._after < state.pruned_to else None
            self._after = page[-1].seq if page else max(self._after, state.pruned_to)
            yield gap, [event for event in page if any(p.matches(event.topic) for p in self._patterns)]
            if len(page) < PAGE:
                return
