"""The WebSocket endpoint `/ws`: the thin shell that pumps between sockets and connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from taskcopilot.auth.lease import Lease
from taskcopilot.auth.presented import SUBPROTOCOL
from taskcopilot.bridge.connection import Connection
from taskcopilot.bridge.hub import Hub, Limits
from taskcopilot.bridge.measures import Measures
from taskcopilot.bridge.protocol import CloseCode
from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.clock import Clock
from taskcopilot.core import background
from taskcopilot.logs import CONNECTION
from taskcopilot.web.doorkeeper import Tenant
from taskcopilot.web.gate import access_of, identity_of
from taskcopilot.web.keys import CORE, DOOR, ENDING, HUB, PAST, SOCKETS
from taskcopilot.web.past import StoredPast
from taskcopilot.web.sink import CLOSE_TIMEOUT, TransportSink

__all__ = [
    "SOCKETS",
    "Kept",
    "add_routes",
    "close_all",
    "close_socket",
    "is_upgrade",
    "keep_alive",
    "leased",
    "new_socket",
]

_log: Final = logging.getLogger(__name__)

_WIRE: Final = web.AppKey("wire", WebSocketWire)

_LAST_READ: Final = 1.0
"""Seconds in which peers may still take what was written for them when the server ends."""

_LOOK: Final = 0.01
"""Seconds between two looks at who has taken everything."""


def new_socket(max_message: int) -> web.WebSocketResponse:
    """Return a WebSocket response as we want them: no compression, our own pings, bounded messages."""
    return web.WebSocketResponse(
        protocols=(SUBPROTOCOL,),
        compress=False,
        autoping=False,
        heartbeat=None,
        max_msg_size=max_message,
        timeout=CLOSE_TIMEOUT,
    )


def is_upgrade(request: web.Request) -> bool:
    """Tell whether a request asks for a WebSocket as it should, of the one version that there is (RFC 6455, 4.2.1).

    aiohttp alone would take drafts 7 and 8 too.
    """
    try:
        is_sound = web.WebSocketResponse().can_prepare(request).ok
    except ValueError:  # aiohttp quotes the header at fault, or decodes the key: neither can be any bytes
        return False
    return is_sound and request.headers.get(hdrs.SEC_WEBSOCKET_VERSION, "").strip() == "13"


def add_routes(app: web.Application) -> None:
    """Serve `/ws` on the application, with a hub of its own that lives as long as the application."""
    app[SOCKETS] = {}
    app[ENDING] = asyncio.Event()
    app.cleanup_ctx.append(_hub)
    app.on_shutdown.append(close_all)
    app.router.add_get("/ws", _serve, allow_head=False)


async def _hub(app: web.Application) -> AsyncIterator[None]:
    core = app[CORE]
    limits = Limits(core.settings.max_outstanding_events, core.settings.max_outstanding_bytes)
    stored = await core.database.log_state()
    measures = Measures(core.clock.monotonic, lambda: core.recorder.committed_at)
    hub = Hub(core.database, replace(stored, head=core.recorder.head), limits, measures)
    subscriptions = (core.bus.subscribe(hub.receive), core.bus.subscribe_passing(hub.pass_on))
    app[HUB], app[PAST], app[_WIRE] = hub, StoredPast(core, hub), WebSocketWire(core.clock)
    yield
    for subscription in subscriptions:
        subscription.close()


async def _serve(request: web.Request) -> web.StreamResponse:
    """Upgrade and pump until either side ends it. Without an upgrade there is nothing here: 404."""
    core = request.app[CORE]
    socket = new_socket(core.settings.max_message)
    if not is_upgrade(request):
        raise web.HTTPNotFound
    await socket.prepare(request)
    CONNECTION.set(core.clock.new_id())
    _log.debug("a client connects from %s", request.remote)
    sink = TransportSink(request)
    keeper, identity = request.app.get(DOOR), identity_of(request)
    lease = None if keeper is None else keeper.lease(identity, timedelta(seconds=core.settings.auth_timeout))
    connection = Connection(
        request.app[HUB],
        sink,
        request.app[_WIRE],
        request.app[PAST],
        core.clock,
        max_patterns=core.settings.max_patterns,
        message_rate=core.settings.max_message_rate,
        access=access_of(request),
        identify=None if keeper is None else keeper.identify,
        lease=lease,
    )
    request.app[SOCKETS][socket] = sink
    measures = request.app[HUB].measures
    measures.opened["wss" if request.secure else "ws"] += 1
    try:
        interval = core.settings.ping_interval
        async with (
            background(keep_alive(core.clock, interval, socket, connection, sink), "keepalive"),
            leased(request, socket, connection.warn, lease),
        ):
            await _pump(socket, connection, sink, core.settings.max_outstanding_bytes)
    finally:
        _log.debug("a client is gone")
        measures.closed += 1
        del request.app[SOCKETS][socket]
        connection.close()
        sink.leave()
    return socket


@contextlib.asynccontextmanager
async def leased(
    request: web.Request, socket: web.WebSocketResponse, warn: Callable[[Lease], None], lease: Lease | None
) -> AsyncIterator[None]:
    """End the conversation with its token while the block runs; without authentication nothing is watched."""
    if lease is None:
        yield
        return
    closing: list[asyncio.Task[None]] = []

    def end(lease: Lease) -> None:
        reason = b"no token was shown" if lease.identity is None else b"the token has ended"
        if not closing:
            closing.append(asyncio.create_task(close_socket(socket, CloseCode.TOKEN_ENDED, reason)))

    with request.app[DOOR].watching(Tenant(lease, warn, end)):
        yield
    await asyncio.gather(*closing)


async def _pump(socket: web.WebSocketResponse, connection: Connection, sink: TransportSink, most: int) -> None:
    """Take what comes, but nothing more from a peer that asks and does not read the answers: these would pile up."""
    welcome = True
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                welcome = await connection.receive(message.data)
                await sink.relieve(most)
            case WSMsgType.PING:
                if welcome := connection.heard():
                    await socket.pong(message.data)
            case WSMsgType.PONG:
                welcome = connection.heard()
            case _:
                pass
        if not welcome:
            _log.info("a client sends too many messages and is closed")
            await close_socket(socket, CloseCode.TOO_FAST, b"too many messages")
            return


class Kept(Protocol):
    """A conversation that is kept alive."""

    def tick(self) -> bool:
        """An interval is over: send a ping, or return False when the peer counts as gone."""
        ...


async def keep_alive(
    clock: Clock, interval: float, socket: web.WebSocketResponse, connection: Kept, sink: TransportSink
) -> None:
    """Ping at every interval, and cut off a peer from which nothing comes."""
    while True:
        await clock.sleep(interval)
        if not connection.tick():
            await close_socket(socket, CloseCode.NOT_HEARD, b"nothing was heard of you")
            sink.abort()
            return


async def close_all(app: web.Application) -> None:
    """End all conversations at once, each in bounded time: one by one, a stuck peer held the exit for good."""
    app[ENDING].set()
    sockets = app[SOCKETS].copy()
    until = asyncio.get_running_loop().time() + _LAST_READ
    await asyncio.gather(
        *(close_socket(socket, WSCloseCode.GOING_AWAY, b"the server is going away") for socket in sockets)
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await _taken(sockets.values())
    for sink in sockets.values():
        if sink.buffered():
            sink.abort()


async def _taken(sinks: Collection[TransportSink]) -> None:
    """Wait until the peers have taken what was written for them, the close frame at its end."""
    while any(sink.buffered() for sink in sinks):  # noqa: ASYNC110 - a transport that is being closed tells nobody
        await asyncio.sleep(_LOOK)


async def close_socket(socket: web.WebSocketResponse, code: int, reason: bytes) -> None:
    """Close in bounded time, whether the peer takes part or not."""
    with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await socket.close(code=code, message=reason, drain=False)
