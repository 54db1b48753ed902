"""Python `websockets`: each event encoded once, `broadcast` to all connections.

python -m bench.peers.websockets_broadcast LOOP
"""

from __future__ import annotations

import contextlib
import sys

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

from bench.peers.control import obey, publishing
from bench.workload import new_event, on_loop
from taskcopilot.bridge.protocol import encode_event


async def serve() -> None:
    """Serve until standard input ends."""
    connections: set[ServerConnection] = set()

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the load generator just ends
            async for _ in connection:
                connections.add(connection)
                await connection.send('{"type":"subscribed"}')

    async def publish(number: int) -> None:
        broadcast(connections, encode_event(new_event(100_000 + number)).decode())

    async with listen(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await obey(publishing(publish), port=port)


if __name__ == "__main__":
    on_loop(sys.argv[1], serve)
