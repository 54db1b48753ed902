"""The WebSocket layer against the Autobahn cases, driven by kosoku."""

from __future__ import annotations

import kosoku
from aiohttp import WSMsgType, web

from taskcopilot.web.ws import new_socket

LARGE_ENOUGH = 32 * 1024 * 1024
"""The cases of chapter 9 send up to 16 MiB; the bridge itself takes 64 KiB and closes with 1009."""

EXCLUDED = ["12.*", "13.*"]
"""Compression: it is off."""

TOLERATED = {"7.9.5"}
"""aiohttp takes the reserved close code 1006 from the wire."""


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send every message back, over a socket set up exactly like the bridge's own."""
    socket = new_socket(LARGE_ENOUGH)
    await socket.prepare(request)
    async for message in socket:
        match message.type:
            case WSMsgType.TEXT:
                await socket.send_str(message.data)
            case WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            case WSMsgType.PING:
                await socket.pong(message.data)
    return socket


async def test_the_socket_passes_the_autobahn_cases(aiohttp_server) -> None:
    """Core cases and chapter 9; only what is aiohttp's own may fail."""
    app = web.Application()
    app.router.add_get("/", echo)
    server = await aiohttp_server(app)
    url = str(server.make_url("/")).replace("http", "ws", 1)
    try:
        results = await kosoku.run_fuzzingclient(url, exclude_cases=EXCLUDED, concurrency=2)
    except kosoku.FailureError as error:
        results = error.results
    failed = {result.case_id for result in results if result.behavior.value in ("FAILED", "ERROR")}
    assert len(results) > 290
    assert failed <= TOLERATED
