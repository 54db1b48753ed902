"""A client's socket on a service: the thin shell that pumps between it and its connection."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from aiohttp import WSMsgType, web

from taskcopilot.core import background
from taskcopilot.rooms.connection import Closing, RoomConnection
from taskcopilot.rooms.desk import Desk
from taskcopilot.rooms.skills_connection import SkillsConnection
from taskcopilot.rooms.skills_ticker import SkillsDesk
from taskcopilot.web.gate import show_token
from taskcopilot.web.keys import CORE, DOOR, SOCKETS
from taskcopilot.web.sink import TransportSink
from taskcopilot.web.ws import close_socket, keep_alive, leased, new_socket

__all__ = ["MAX_MESSAGE", "converse"]

MAX_MESSAGE: Final = 1_048_576
"""Bytes of the largest message; a larger one ends the connection with 1009."""

PING_INTERVAL: Final = 20.0
"""Seconds between two pings at most: what the libraries of the ecosystem expect."""

_FULL: Final = Closing(1013, "Server at maximum capacity")

Conversation = RoomConnection | SkillsConnection
"""A client of a service, whatever it speaks."""


async def converse(request: web.Request, desk: Desk) -> web.StreamResponse:
    """Upgrade, greet, and pump until either side ends it. Who comes when the service is full is told so and closed."""
    identity = await show_token(request)
    socket = new_socket(MAX_MESSAGE + 1)  # aiohttp refuses what is as long as the limit
    entered = desk.enter()
    connection: Conversation | None = None
    try:
        await socket.prepare(request)
        if not entered:
            await close_socket(socket, _FULL.code, _FULL.reason.encode())
            return socket
        request.app[SOCKETS][socket] = sink = TransportSink(request)
        keeper = request.app.get(DOOR)
        kind = SkillsConnection if isinstance(desk, SkillsDesk) else RoomConnection
        patience = timedelta(seconds=kind.token_patience)
        lease = None if keeper is None else keeper.lease(identity, patience=patience)
        if isinstance(desk, SkillsDesk):
            connection = SkillsConnection(desk, sink, identity=identity, lease=lease)
        else:
            connection = RoomConnection(desk, sink, identity=identity, lease=lease)
        async with leased(request, socket, connection.warn, lease):
            await _serve(request, socket, connection, sink)
    finally:
        if socket in request.app[SOCKETS]:
            request.app[SOCKETS].pop(socket).leave()
        if connection is not None:
            await connection.close()
        elif entered:
            desk.leave(set())
    return socket


async def _serve(
    request: web.Request, socket: web.WebSocketResponse, connection: Conversation, sink: TransportSink
) -> None:
    core = request.app[CORE]
    interval = min(PING_INTERVAL, core.settings.ping_interval)
    async with (
        background(keep_alive(core.clock, interval, socket, connection, sink), "keepalive"),
        background(_expect_token(request, socket, connection), "token"),
    ):
        if connection.is_open:
            connection.greet()
        if closing := await _pump(socket, connection, sink, core.settings.max_outstanding_bytes):
            await close_socket(socket, closing.code, closing.reason.encode())


async def _pump(
    socket: web.WebSocketResponse, connection: Conversation, sink: TransportSink, most: int
) -> Closing | None:
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                if closing := await connection.receive(message.data):
                    return closing
                await sink.relieve(most)
            case WSMsgType.PING:
                connection.heard()
                await socket.pong(message.data)
            case WSMsgType.PONG:
                connection.heard()
            case _:
                pass
        await asyncio.sleep(0)
    return None


async def _expect_token(request: web.Request, socket: web.WebSocketResponse, connection: Conversation) -> None:
    if connection.is_open:
        return
    await request.app[CORE].clock.sleep(connection.token_patience)
    if not connection.is_open:
        await close_socket(socket, connection.no_token.code, connection.no_token.reason.encode())
