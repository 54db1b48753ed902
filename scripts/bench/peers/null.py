"""Prepared bytes and nothing else: shows how much the load generator takes. A turn of events is one prepared block.

python -m bench.peers.null LOOP
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from bench.peers.control import obey
from bench.peers.small_server import listen
from bench.workload import new_event, on_loop
from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.protocol import encode_event


async def serve() -> None:
    """Serve until standard input ends."""
    transports: set[asyncio.Transport] = set()
    blocks: dict[int, bytes] = {}

    async def prepare(command: dict[str, Any]) -> dict[str, Any]:
        count = command["turn"]
        blocks[count] = b"".join(text_frame(encode_event(new_event(100_000 + number))) for number in range(count))
        return {}

    async def burst(command: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter_ns()
        for _ in range(command["count"] // command["turn"]):
            for transport in transports:
                transport.write(blocks[command["turn"]])
            await asyncio.sleep(0)
        return {"began": began}

    await obey({"prepare": prepare, "burst": burst}, port=await listen(transports))


if __name__ == "__main__":
    on_loop(sys.argv[1], serve)
