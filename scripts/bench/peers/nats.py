"""nats-server over WebSocket, on the server's core; this process, on the other, publishes to it over TCP.

python -m bench.peers.nats DIRECTORY
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.machine import LOAD_CORE, SERVER_CORE, pin
from bench.peers.control import obey
from bench.workload import new_event
from taskcopilot.bridge.protocol import encode_event

_PATIENCE: Final = 20.0


async def serve(directory: Path) -> None:
    """Serve until standard input ends."""
    port, websocket_port = _free_port(), _free_port()
    configuration = directory / "nats.conf"
    text = f'listen: "127.0.0.1:{port}"\nwebsocket {{ listen: "127.0.0.1:{websocket_port}", no_tls: true }}\n'
    configuration.write_text(text, "ascii")
    pin(SERVER_CORE)
    server = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", "nats-server", "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL
    )
    pin(LOAD_CORE)
    try:
        reader, writer = await _publisher(port)
        await obey({"burst": _Burst(reader, writer)}, pid=server.pid, port=websocket_port)
    finally:
        server.kill()
        await server.wait()


class _Burst:
    """Publishes `count` events, `turn` of them in each write."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __call__(self, command: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter_ns()
        for first in range(0, command["count"], command["turn"]):
            count = min(command["turn"], command["count"] - first)
            self._writer.write(b"".join(_message(first + step) for step in range(count)))
            await self._writer.drain()
        self._writer.write(b"PING\r\n")
        await self._reader.readuntil(b"PONG\r\n")
        return {"began": began}


def _message(number: int) -> bytes:
    data = encode_event(new_event(100_000 + number))
    return b"PUB task.updated %d\r\n%b\r\n" % (len(data), data)


async def _publisher(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
            continue
        writer.write(b"CONNECT %b\r\nPING\r\n" % json.dumps({"verbose": False, "pedantic": False}).encode())
        await reader.readuntil(b"PONG\r\n")
        return reader, writer


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
