"""Waiting for the next event that matches: what a long poll does when there is nothing yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.hub import Hub
from taskcopilot.bridge.window import Encoded
from taskcopilot.topics import Selector

__all__ = ["wait_for_event"]


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
