"""How a measured server is told what to do: JSON lines on standard input, one answer each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

__all__ = ["Command", "Commands", "Publish", "obey", "pacing", "publishing"]

Publish = Callable[[int], Awaitable[None]]
"""Publishes the event of that number to every subscriber, from inside the server."""

Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does what a line of standard input asks for and returns the answer."""

Commands = Mapping[str, Command]


def publishing(publish: Publish) -> Commands:
    """Return the commands that every server has: `burst` and `paced`."""
    number = 0

    async def some(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            await publish(number)

    async def burst(command: dict[str, Any]) -> dict[str, Any]:
        """Publish `count` events, `turn` of them in one turn of the event loop, as a commit of that many does."""
        began = time.perf_counter_ns()
        for first in range(0, command["count"], command["turn"]):
            await some(min(command["turn"], command["count"] - first))
            await asyncio.sleep(0)
        return {"began": began}

    return {"burst": burst, "paced": pacing(partial(some, 1))}


def pacing(publish: Callable[[], Awaitable[object]]) -> Command:
    """Return the command that publishes `rate` events a second, one at a time, `count` in all."""

    async def paced(command: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for step in range(command["count"]):
            await asyncio.sleep(max(0.0, began + step / command["rate"] - loop.time()))
            await publish()
        return {"took": loop.time() - began}

    return paced


async def obey(commands: Commands, **ready: Any) -> None:
    """Say that the server is ready, and carry out commands until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"pid": os.getpid(), **ready})
    async for line in reader:
        command = json.loads(line)
        _say(await commands[command["do"]](command))


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
