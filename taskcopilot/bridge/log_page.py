"""A page of the log: what matches after a position, for those who read instead of listening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from taskcopilot.bridge.cursor import Cursor, Gap, Position
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.events import Event
from taskcopilot.store.database import Database
from taskcopilot.store.event_log import PAGE, LogState
from taskcopilot.topics import Selector

__all__ = ["LogPage", "index_of", "read_page"]

MAX_SCAN: Final = 10_000
"""Events that one page looks at: a rare pattern must not keep a reader for the whole log."""

MAX_BYTES: Final = 4 * 1_048_576
"""Bytes of events after which a page ends; the next one goes on from there."""

_ENVELOPE: Final = 160
"""Bytes around an event's own data, roughly."""


@dataclass(slots=True)
class LogPage:
    """The matching events after a position, as they are found."""

    wanted: PatternIndex[str]
    limit: int
    log: LogState
    """The log as it was when the page was read."""
    position: int
    """Everything up to this event has been looked at."""
    gap: Gap | None = None
    """What the cursor asked for and is gone."""
    events: list[Event] = field(default_factory=list)
    scanned: int = 0
    size: int = 0

    @property
    def cursor(self) -> Cursor:
        """Where the next page begins."""
        return Cursor(self.log.epoch, self.position)

    @property
    def is_full(self) -> bool:
        """True when the page should go out, whether there is more in the log or not."""
        return len(self.events) >= self.limit or self.scanned >= MAX_SCAN or self.size >= MAX_BYTES

    def look_at(self, event: Event) -> None:
        """Move past an event, and keep it when it matches."""
        self.position = event.seq
        self.scanned += 1
        if self.wanted.match(event.topic, event.type, about=event.about):
            self.events.append(event)
            self.size += len(event.data) + _ENVELOPE


def index_of(wanted: Sequence[Selector]) -> PatternIndex[str]:
    """Return an index that tells whether one reader wants an event."""
    index: PatternIndex[str] = PatternIndex()
    index.add("the reader", wanted)
    return index


async def read_page(database: Database, wanted: PatternIndex[str], limit: int, cursor: Cursor | None) -> LogPage:
    """Read a page from a cursor, by default from the oldest event that is kept.

    Ends early when retention removed what comes next: the next page is told the gap.
    """
    log = await database.log_state()
    start = Position(log.pruned_to) if cursor is None else cursor.locate(log)
    page = LogPage(wanted, limit, log, start.after, start.gap)
    while not page.is_full and page.position < page.log.head:
        page.log, events = await database.read_log(page.position, PAGE)
        if not events or events[0].seq > page.position + 1:
            break
        for event in events:
            if page.is_full:
                break
            page.look_at(event)
    return page
