"""GET /api/events/stream: the log as server-sent events, live, with the cursor as the event's id."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.bridge.wire import EventStreamWire, chunk
from taskcopilot.web.keys import CORE, HUB, PAST
from taskcopilot.web.queries import selectors, single
from taskcopilot.web.route import Parameter, Route
from taskcopilot.web.sink import TransportSink

__all__ = ["ROUTES"]

HEARTBEAT: Final = 15.0
"""Seconds between two comments: proxies close what is silent for longer than half a minute."""

RETRY: Final = b"retry: 1000\n"
"""Milliseconds after which a browser comes back."""

_HEADERS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Answer with events until the peer leaves; it comes back with `Last-Event-ID` and goes on from there."""
    core, hub = request.app[CORE], request.app[HUB]
    wanted = selectors(request, core.settings.max_patterns)
    since = request.headers.get("Last-Event-ID") or single(request, "since")
    cursor = None if since is None else Cursor.parse(since)
    if cursor is not None:
        await request.app[PAST].refresh()
    response = web.StreamResponse(headers=_HEADERS)
    response.enable_chunked_encoding()
    await response.prepare(request)
    sink, wire = TransportSink(request), EventStreamWire(hub.log_state.epoch)
    member = hub.attach(sink, wire)
    try:
        position = hub.hold(member, wanted, cursor)
        sink.write(_greeting(wire, position.after))
        if position.gap is not None:
            sink.write(wire.gap(position.gap))
        await _until_gone(request, sink)
    finally:
        hub.detach(member)
    return response


def _greeting(wire: EventStreamWire, after: int) -> bytes:
    """Tell at once where delivery starts, so that a reconnect before the first event loses nothing."""
    return chunk(RETRY + b"event: ready\nid: %b:%d\ndata: {}\n\n" % (wire.epoch.encode(), after))


async def _until_gone(request: web.Request, sink: TransportSink) -> None:
    """Send a comment now and then, and return when the peer or the server goes."""
    clock = request.app[CORE].clock
    while request.transport is not None and not request.transport.is_closing():
        await clock.sleep(HEARTBEAT)
        sink.write(chunk(b":\n\n"))
    await asyncio.sleep(0)
