"""The child process of a host: its conversation on the one side, what is forwarded on the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from taskcopilot.channel.forwarding import Write
from taskcopilot.channel.handshake import Handshake
from taskcopilot.mcp.wire import Wire

__all__ = ["serve"]

_log: Final = logging.getLogger(__name__)


async def serve(wire: Wire, hand: Handshake, forward: Callable[[Write], Awaitable[None]]) -> None:
    """Talk to the host until its side closes, or until it turns out that it has no channels; both are a good end.

    `forward` starts when the host is ready, and is cancelled at the end. Cancellable at any time.
    """
    writing, ready = asyncio.Lock(), asyncio.Event()

    async def write(line: bytes) -> None:
        async with writing:
            await wire.write(line)

    async def forward_when_ready() -> None:
        await ready.wait()
        await forward(write)

    tasks = {
        asyncio.create_task(_converse(wire, hand, write, ready), name="channel-host"),
        asyncio.create_task(forward_when_ready(), name="channel-forwarder"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(OSError):  # the host is gone
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _converse(wire: Wire, hand: Handshake, write: Write, ready: asyncio.Event) -> None:
    async for line in wire.lines():
        if (answer := hand.answer(line)) is not None:
            await write(answer)
        if hand.refusal is not None:
            _log.warning("no notices: %s", hand.refusal)
            return
        if hand.is_ready:
            ready.set()
