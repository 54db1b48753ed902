"""GET /api/events/stream: the log as server-sent events, live, with the cursor as the event's id."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from taskcopilot.bridge.cursor import Cursor, Position
from taskcopilot.bridge.member import Member
from taskcopilot.bridge.wire import EventStreamWire, chunk
from taskcopilot.core import background
from taskcopilot.web.keys import CORE, HUB, PAST
from taskcopilot.web.queries import selectors, single
from taskcopilot.web.route import Parameter, Route
from taskcopilot.web.routes.events import TYPES
from taskcopilot.web.sink import TransportSink
from taskcopilot.web.waiting import until_over

__all__ = ["ROUTES"]

HEARTBEAT: Final = 15.0
"""Seconds between two heartbeats: proxies close what is silent for longer than half a minute."""

_SILENT_INTERVALS: Final = 2
"""Ping intervals in which a peer may take nothing of what waits for it; the same patience as with a WebSocket (C3)."""

_RETRY: Final = b"retry: 1000\n"
"""Milliseconds after which a browser comes back."""

_HEADERS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Answer with events until the peer or the server goes; the peer comes back with `Last-Event-ID`."""
    hub = request.app[HUB]
    wanted = await selectors(request, request.app[CORE].settings.max_patterns)
    since = request.headers.get("Last-Event-ID") or single(request, "since")
    cursor = None if since is None else Cursor.parse(since)
    if cursor is not None:
        await request.app[PAST].refresh()
    response = web.StreamResponse(headers=_HEADERS)
    response.enable_chunked_encoding()
    await response.prepare(request)
    sink, wire = TransportSink(request), EventStreamWire(hub.log_state.epoch)
    sink.give_up_after(_SILENT_INTERVALS * request.app[CORE].settings.ping_interval)
    member = hub.attach(sink, wire)
    try:
        position = hub.hold(member, wanted, cursor)
        sink.write(_greeting(wire, position))
        async with background(_keep_open(request, sink, member), "heartbeat"):
            await until_over(request)
    finally:
        hub.detach(member)
    if sink.buffered():
        sink.abort()
    return response


def _greeting(wire: EventStreamWire, position: Position) -> bytes:
    """Tell at once where delivery starts, so that a reconnect before the first event loses nothing.

    Where something is missing the gap moves the peer's cursor, and not `ready`: cut off between the two, it would come
    back behind the gap and never hear of it.
    """
    if position.gap is not None:
        return chunk(_RETRY + b"event: ready\ndata: {}\n\n") + wire.gap(position.gap)
    return chunk(_RETRY + b"event: ready\nid: %b:%d\ndata: {}\n\n" % (wire.epoch.encode(), position.after))


async def _keep_open(request: web.Request, sink: TransportSink, member: Member) -> None:
    """Send the peer's position now and then, an id without data: a browser remembers it and raises no event.

    It keeps proxies from closing the answer, lets who asked for rare events resume from where nothing is missed, and
    finds out that a peer is gone.
    """
    hub = request.app[HUB]
    while True:
        await request.app[CORE].clock.sleep(HEARTBEAT)
        seq = hub.complete_up_to(member)
        sink.write(chunk(b"id: %b:%d\n\n" % (hub.log_state.epoch.encode(), seq)))


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/events/stream",
        confined=True,
        handler=stream_events,
        summary="Follow the log as server-sent events; Last-Event-ID resumes",
        media="text/event-stream",
        answer={
            "type": "string",
            "description": "text/event-stream: `id` is the cursor, `data` the socket's envelope.",
        },
        parameters=(
            Parameter("since", "A cursor to resume from, where Last-Event-ID cannot be sent; by default from now on."),
            Parameter(
                "topics",
                "Patterns as a comma list, or repeated. By default all events.",
                {"type": "array", "items": {"type": "string"}},
                repeated=True,
            ),
            TYPES,
        ),
    ),
)
