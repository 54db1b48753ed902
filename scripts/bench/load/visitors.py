"""Clients that come and go: each subscribes, reads for some seconds, and leaves, every second one without a word.

    python -m bench.load.visitors PORT CLIENTS

Answers `{"stop": true}` with how many visits there were, once all have left.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Final

from bench.load import frames

__all__ = ["visit"]

_PATTERNS: Final = (["task:*"], ["*"], ["stream:*", "agent:*"], [f"stream:Stream-{n}" for n in range(40)])
_STAYS: Final = (1, 2, 3, 5, 8, 13)
_BUFFER: Final = 1 << 18
_CLOSE: Final = b"\x88\x82" + bytes(4) + b"\x03\xe8"


async def visit(port: int, number: int) -> None:
    """Come, stay, and go."""
    peer = await asyncio.to_thread(frames.connect, port, "/ws")
    await asyncio.to_thread(frames.subscribe, peer, topics=_PATTERNS[number % len(_PATTERNS)])
    reader, writer = await asyncio.open_connection(sock=peer, limit=_BUFFER)
    try:
        async with asyncio.timeout(_STAYS[number % len(_STAYS)]):
            while await reader.read(_BUFFER):
                pass
    except TimeoutError:
        if number % 2:
            writer.write(_CLOSE)
        else:
            writer.transport.abort()
    finally:
        writer.close()


async def _keep_coming(port: int, numbers: Iterator[int], stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await visit(port, next(numbers))


async def _main(port: int, clients: int) -> None:
    numbers = itertools.count()
    stopping = asyncio.Event()
    slots = [asyncio.create_task(_keep_coming(port, numbers, stopping)) for _ in range(clients)]
    print(json.dumps({"ready": clients}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    stopping.set()
    await asyncio.gather(*slots)
    print(json.dumps({"visits": next(numbers)}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
