"""GET /api/events: the log from a cursor, for who has no socket (promises H1 and H2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from taskcopilot.bridge.cursor import Cursor, Gap, Position
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.bridge.protocol import encode_event
from taskcopilot.events import Event
from taskcopilot.store.database import Database
from taskcopilot.store.event_log import PAGE, LogState
from taskcopilot.topics import Selector
from taskcopilot.web.json import json_response
from taskcopilot.web.keys import CORE, HUB, PAST
from taskcopilot.web.queries import positive_number, selectors, single
from taskcopilot.web.route import Parameter, Route
from taskcopilot.web.waiting import wait_for_event

__all__ = ["ROUTES"]

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000

MAX_WAIT: Final = 60
"""Seconds that a long poll may wait; proxies give up soon after."""

MAX_SCAN: Final = 10_000
"""Events that one request looks at: a rare pattern must not keep a reader for the whole log."""

MAX_BYTES: Final = 4 * 1_048_576
"""Bytes of events after which an answer ends; `next` goes on from there."""


async def get_events(request: web.Request) -> web.Response:
    """Answer a page of events and the cursor to go on from; 304 when the caller's page is still the newest."""
    core = request.app[CORE]
    since = single(request, "since")
    cursor = None if since is None else Cursor.parse(since)
    wanted = selectors(request, core.settings.max_patterns)
    limit = positive_number(request, "limit", default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    wait = positive_number(request, "wait", default=0, maximum=MAX_WAIT)
    page, log, gap = await _read(core.database, wanted, limit, cursor)
    if wait and not page.events and gap is None:
        await request.app[PAST].refresh()
        await wait_for_event(request.app[HUB], wanted, page.position, wait)
        page, log, gap = await _read(core.database, wanted, limit, Cursor(log.epoch, page.position))
    tag = f"{log.epoch}-{page.position}-{len(page.events)}"
    if any(tag == known.value for known in request.if_none_match or ()):
        return _tagged(web.Response(status=304), tag)
    return _tagged(json_response(_encode(page, log, gap)), tag)


def _tagged(response: web.Response, tag: str) -> web.Response:
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


async def _read(
    database: Database, wanted: Sequence[Selector], limit: int, cursor: Cursor | None
) -> tuple[_Page, LogState, Gap | None]:
    """Read a page from a cursor, by default from the oldest event that is kept."""
    log = await database.log_state()
    start = Position(log.pruned_to) if cursor is None else cursor.locate(log)
    page = _Page(_index(wanted), limit, start.after)
    return page, await _fill(page, database, log), start.gap


def _index(wanted: Sequence[Selector]) -> PatternIndex[str]:
    index: PatternIndex[str] = PatternIndex()
    index.add("the caller", wanted)
    return index


@dataclass(slots=True)
class _Page:
    """The matching events after a position, as they are found."""

    wanted: PatternIndex[str]
    limit: int
    position: int
    events: list[bytes] = field(default_factory=list)
    scanned: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """True when the answer should go out, whether there is more in the log or not."""
        return len(self.events) >= self.limit or self.scanned >= MAX_SCAN or self.size >= MAX_BYTES

    def look_at(self, event: Event) -> None:
        """Move past an event, and keep it when it matches."""
        self.position = event.seq
        self.scanned += 1
        if self.wanted.match(event.topic, event.type):
            encoded = encode_event(event)
            self.events.append(encoded)
            self.size += len(encoded)


async def _fill(page: _Page, database: Database, log: LogState) -> LogState:
    """Read on until the page is full or the log ends; return the log as it was then.

    Ends early when retention removed what comes next: the caller's next request is told the gap.
    """
    while not page.is_full and page.position < log.head:
        log, events = await database.read_log(page.position, PAGE)
        if not events or events[0].seq > page.position + 1:
            break
        for event in events:
            if page.is_full:
                break
            page.look_at(event)
    return log


def _encode(page: _Page, log: LogState, gap: Gap | None) -> bytes:
    """Splice the events, which are JSON already, into the answer."""
    rest: dict[str, Any] = {"next": str(Cursor(log.epoch, page.position)), "epoch": log.epoch, "head": log.head}
    if gap is not None:
        rest["gap"] = gap.as_json()
    return b'{"events":[%b],%b' % (b",".join(page.events), orjson.dumps(rest)[1:])


TYPES: Final = Parameter(
    "eventTypes",
    "Event types or globs as a comma list, or repeated: `task.completed,stream.*`. By default all types.",
    {"type": "array", "items": {"type": "string"}},
    repeated=True,
)

_ENVELOPE: Final = {
    "type": "object",
    "description": "The envelope of the socket.",
    "properties": {
        "type": {"const": "event"},
        "timestamp": {"type": "string", "format": "date-time"},
        "seq": {"type": "integer", "minimum": 1},
        "payload": {
            "type": "object",
            "properties": {
                "topic": {"type": "string"},
                "eventType": {"type": "string"},
                "data": {"type": "object"},
            },
            "required": ["topic", "eventType", "data"],
        },
    },
    "required": ["type", "timestamp", "seq", "payload"],
}

_ANSWER: Final = {
    "type": "object",
    "properties": {
        "events": {"type": "array", "items": _ENVELOPE},
        "next": {"type": "string", "description": "The cursor to ask with next time."},
        "epoch": {"type": "string"},
        "head": {"type": "integer", "minimum": 0, "description": "The number of the newest event."},
        "gap": {
            "type": "object",
            "description": "Events that can no longer be delivered, both ends included.",
            "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}},
            "required": ["from", "to"],
        },
    },
    "required": ["events", "next", "epoch", "head"],
}

ROUTES: Final = (
    Route(
        method="GET",
        path="/api/events",
        handler=get_events,
        summary="Read the log of events from a cursor",
        answer=_ANSWER,
        parameters=(
            Parameter(
                "since", "An event number, or a cursor `<epoch>:<seq>`; by default the oldest event that is kept."
            ),
            Parameter(
                "topics",
                "Patterns as a comma list, or repeated: `task:*,stream:Stream-A`. By default all events.",
                {"type": "array", "items": {"type": "string"}},
                repeated=True,
            ),
            TYPES,
            Parameter(
                "wait",
                "Seconds to wait for an event when there is none yet: a long poll.",
                {"type": "integer", "minimum": 1, "maximum": MAX_WAIT},
            ),
            Parameter(
                "limit",
                "How many events at most.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
        ),
    ),
)
