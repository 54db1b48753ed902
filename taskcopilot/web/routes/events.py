"""GET /api/events: the log from a cursor, for who has no socket (promises H1 and H2)."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from taskcopilot.auth.identity import unauthorized
from taskcopilot.bridge.cursor import Cursor
from taskcopilot.bridge.log_page import LogPage, index_of, read_page
from taskcopilot.bridge.protocol import encode_event
from taskcopilot.web.gate import is_welcome
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


async def get_events(request: web.Request) -> web.Response:
    """Answer a page of events and the cursor to go on from; 304 when the caller's page is still the newest."""
    core = request.app[CORE]
    since = single(request, "since")
    cursor = None if since is None else Cursor.parse(since)
    wanted = await selectors(request, core.settings.max_patterns)
    index = index_of(wanted)
    limit = positive_number(request, "limit", default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    wait = positive_number(request, "wait", default=0, maximum=MAX_WAIT)
    page = await read_page(core.database, index, limit, cursor)
    if wait and not page.events and page.gap is None:
        await request.app[PAST].refresh()
        await wait_for_event(request.app[HUB], wanted, page.position, wait)
        if not is_welcome(request):
            raise unauthorized()
        page = await read_page(core.database, index, limit, page.cursor)
    tag = f"{page.log.epoch}-{page.position}-{len(page.events)}"
    if any(tag == known.value for known in request.if_none_match or ()):
        return _tagged(web.Response(status=304), tag)
    return _tagged(json_response(_encode(page)), tag)


def _tagged(response: web.Response, tag: str) -> web.Response:
    response.etag = tag
    response.headers["Cache-Control"] = "no-cache"
    return response


def _encode(page: LogPage) -> bytes:
    """Splice the events, which are JSON already, into the answer."""
    rest: dict[str, Any] = {"next": str(page.cursor), "epoch": page.log.epoch, "head": page.log.head}
    if page.gap is not None:
        rest["gap"] = page.gap.as_json()
    return b'{"events":[%b],%b' % (b",".join(map(encode_event, page.events)), orjson.dumps(rest)[1:])


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
        confined=True,
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
