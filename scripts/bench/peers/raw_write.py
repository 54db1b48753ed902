"""The least that fan-out without joining costs: each event encoded once, one `transport.write` per subscriber.

python -m bench.peers.raw_write LOOP
"""

from __future__ import annotations

import asyncio
import sys

from bench.peers.control import obey, publishing
from bench.peers.small_server import listen
from bench.workload import new_event, on_loop
from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.protocol import encode_event


async def serve() -> None:
    """Serve until standard input ends."""
    transports: set[asyncio.Transport] = set()

    async def publish(number: int) -> None:
        frame = text_frame(encode_event(new_event(100_000 + number)))
        for transport in transports:
            transport.write(frame)

    await obey(publishing(publish), port=await listen(transports))


if __name__ == "__main__":
    on_loop(sys.argv[1], serve)
