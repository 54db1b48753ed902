"""`python-socketio` on aiohttp: `emit` to everybody.

python -m bench.peers.socketio_emit LOOP
"""

from __future__ import annotations

import json
import sys

import socketio
from aiohttp import web

from bench.peers.control import obey, publishing
from bench.workload import new_event, on_loop
from taskcopilot.bridge.protocol import encode_event


async def serve() -> None:
    """Serve until standard input ends."""
    server = socketio.AsyncServer(async_mode="aiohttp", ping_interval=600, http_compression=False)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()

    async def publish(number: int) -> None:
        await server.emit("event", json.loads(encode_event(new_event(100_000 + number))))

    await obey(publishing(publish), port=runner.addresses[0][1])


if __name__ == "__main__":
    on_loop(sys.argv[1], serve)
