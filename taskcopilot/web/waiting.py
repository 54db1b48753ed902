"""Waiting: for the next event that matches, as a long poll does, and for the end of a conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiohttp import web

from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.hub import Hub
from taskcopilot.bridge.window import Encoded
from taskcopilot.topics import Selector
from taskcopilot.web.gate import is_welcome
from taskcopilot.web.keys import ENDING

__all__ = ["until_over", "wait_for_event", "while_wanted"]

T = TypeVar("T")

_LOOK: Final = 1.0
"""Seconds until a peer that has gone is forgotten; aiohttp does not tell a handler that only writes."""


async def until_over(request: web.Request) -> None:
    """Return when the server ends, the peer has gone, or its token is not good any more."""
    ending = request.app[ENDING]
    while not ending.is_set() and _is_wanted(request):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await ending.wait()


def _is_wanted(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing() and is_welcome(request)


async def while_wanted(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work that may take long. When the peer goes or the server ends first, it is cancelled.

    Then raises 503, which only reaches a peer that is still there.
    """
    working, over = asyncio.ensure_future(work), asyncio.ensure_future(until_over(request))
    try:
        await asyncio.wait({working, over}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        working.cancel()
        over.cancel()
    raise web.HTTPServiceUnavailable


async def wait_for_event(hub: Hub, selectors: Sequence[Selector], after: int, seconds: float) -> None:
    """Return when an event after a number matches, or when the time is over. The caller reads the log to see which."""
    bell = _Bell()
    member = hub.attach(bell, _BellWire())
    try:
        hub.hold(member, selectors, Cursor(None, after))
        async with asyncio.timeout(seconds):
            await bell.rung.wait()
    except TimeoutError:
        pass
    finally:
        hub.detach(member)


class _Bell:
    """A sink whose first byte ends the waiting."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()

    def write(self, data: bytes) -> None:
        if data:
            self.rung.set()

    def buffered(self) -> int:
        return 0

    async def drain(self) -> None:
        return

    def abort(self) -> None:
        self.rung.set()


@dataclass(frozen=True, slots=True)
class _BellWire:
    """Writes something for anything."""

    delay: float = 0.0
    most: int = 1

    def join(self, entries: Sequence[Encoded], *, replayed: bool = False) -> bytes:
        del replayed
        return b"!" if entries else b""

    def gap(self, gap: Gap) -> bytes:
        del gap
        return b"!"
