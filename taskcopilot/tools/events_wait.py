"""events_wait: an agent waits for what others do, without asking again and again."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

import orjson
from pydantic import Field, StringConstraints

from taskcopilot.auth.access import View, forbidden
from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.log_page import LogPage, index_of, read_page
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.events import Event
from taskcopilot.model import Omittable
from taskcopilot.tools.fields import OF_JSON, AnyInteger, ToolInput, ToolOutput
from taskcopilot.tools.in_view import first_hidden
from taskcopilot.tools.lookout import Lookout
from taskcopilot.tools.registry import Tool
from taskcopilot.topics import MAX_PATTERN_LENGTH, MAX_STARS, Pattern, Selector

__all__ = ["TOOLS", "EventsHappened", "answer", "events_wait"]

MAX_WAIT: Final = 600
"""Seconds that one call may wait; whoever wants more calls again with the cursor."""

_MAX_PATTERNS: Final = 50

_TypeGlob = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_LENGTH)]


class EventsWait(ToolInput):
    """Arguments of events_wait."""

    topics: Annotated[list[str], Field(min_length=1, max_length=_MAX_PATTERNS)] = Field(
        default=["*"], description="patterns such as task:TASK-1, task:*, stream:Stream-A, or * for everything"
    )
    event_types: Annotated[list[_TypeGlob], Field(min_length=1, max_length=_MAX_PATTERNS)] | None = Field(
        default=None, description="types or globs such as task.completed or stream.*; by default all types"
    )
    since: str | AnyInteger | None = Field(
        default=None, description="the `next` of an earlier answer, to miss nothing in between; by default from now on"
    )
    wait: Annotated[int, Field(ge=0, le=MAX_WAIT), OF_JSON] = Field(
        default=30, description="seconds to wait at most; 0 answers at once"
    )
    limit: Annotated[int, Field(ge=1, le=100), OF_JSON] = Field(default=20, description="how many events at most")


class HappenedEvent(ToolOutput):
    """An event."""

    seq: int
    timestamp: str
    topic: str
    event_type: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> HappenedEvent:
        """Show an event of the log."""
        return cls(
            seq=event.seq, timestamp=event.at, topic=event.topic, event_type=event.type, data=orjson.loads(event.data)
        )


class MissingEvents(ToolOutput):
    """Events that can no longer be delivered, both ends included."""

    first: int = Field(alias="from")
    last: int = Field(alias="to")

    @classmethod
    def of(cls, gap: Gap) -> MissingEvents:
        """Show a gap."""
        return cls(first=gap.first, last=gap.last)


class EventsHappened(ToolOutput):
    """Answer of events_wait."""

    events: list[HappenedEvent]
    next: str = Field(description="the cursor to go on with as `since`")
    timed_out: bool = Field(description="true when nothing happened in time")
    gap: Omittable[MissingEvents]


async def events_wait(lookout: Lookout, call: EventsWait) -> EventsHappened:
    """Wait until something happens and return the events, or none when the time is over; give `next` back as `since`.

    Answers at once where there are events after `since` already, or where some of them are gone.
    """
    selectors = _selectors(call, lookout.view)
    if lookout.view is not None:
        await _refuse_hidden(lookout, selectors)
    wanted = index_of(selectors)
    cursor = None if call.since is None else Cursor.parse(call.since)
    async with lookout.bell(wanted, call.wait) as bell:
        await lookout.recorder.catch_up()
        cursor = cursor or Cursor(None, lookout.recorder.head)
        page = await _read(lookout, wanted, call.limit, cursor)
        while call.wait and not (page.events or page.gap or bell.is_over):
            await bell.rung()
            page = await _read(lookout, wanted, call.limit, page.cursor)
    return answer(page)


def answer(page: LogPage) -> EventsHappened:
    """Show a page of the log."""
    return EventsHappened(
        events=[HappenedEvent.of(event) for event in page.events],
        next=str(page.cursor),
        timed_out=not page.events and page.gap is None,
        gap=None if page.gap is None else MissingEvents.of(page.gap),
    )


async def _read(lookout: Lookout, wanted: PatternIndex[str], limit: int, cursor: Cursor) -> LogPage:
    """Read on, however long the log is in which nothing matches, until there is something or the log ends."""
    page = await read_page(lookout.database, wanted, limit, cursor)
    while not page.events and page.gap is None and page.position < page.log.head:
        page = await read_page(lookout.database, wanted, limit, page.cursor)
    return page


async def _refuse_hidden(lookout: Lookout, selectors: list[Selector]) -> None:
    hidden = await lookout.database.read(partial(first_hidden, selectors))
    if hidden is not None:
        raise forbidden(f"not in view of the token: {selectors[hidden].pattern.text}", field="topics")


def _selectors(call: EventsWait, view: View | None) -> list[Selector]:
    types = None if call.event_types is None else frozenset(call.event_types)
    if types and any(text.count("*") > MAX_STARS for text in types):
        raise InvalidArgumentError(f"eventTypes: more than {MAX_STARS} stars in one", field="eventTypes")
    return [Selector(Pattern.parse(text), types, view) for text in call.topics]


TOOLS: Final = (Tool(name="events_wait", input=EventsWait, output=EventsHappened, run=events_wait, waits=True),)
