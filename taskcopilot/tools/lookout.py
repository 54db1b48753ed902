"""What a tool that waits looks out with: the log, and a bell that rings when something happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from taskcopilot.auth.access import View
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.events import Event
from taskcopilot.recorder import Recorder
from taskcopilot.store.database import Database

__all__ = ["Bell", "Lookout", "Report", "in_silence"]

REPORT_EVERY: Final = 5.0
"""Seconds between two reports: hosts give up on a call of which nothing was heard for half a minute or more."""

Report = Callable[[float, float], Awaitable[None]]
"""Is told now and then how many seconds of how many have passed."""


async def in_silence(_passed: float, _total: float) -> None:
    """Report to nobody."""


class Bell:
    """Rings for every event that is wanted, and for the last time when the time is over."""

    def __init__(self, wanted: PatternIndex[str]) -> None:
        self._wanted = wanted
        self._ringing = asyncio.Event()
        self.is_over = False

    def receive(self, events: Sequence[Event]) -> None:
        """Take what was committed."""
        if any(self._wanted.match(event.topic, event.type, about=event.about) for event in events):
            self._ringing.set()

    def end(self) -> None:
        """The time is over."""
        self.is_over = True
        self._ringing.set()

    async def rung(self) -> None:
        """Return when it has rung since the last time."""
        await self._ringing.wait()
        self._ringing.clear()


@dataclass(frozen=True, slots=True)
class Lookout:
    """Where one call waits. It costs a subscription to the bus and a timer, and no thread."""

    database: Database
    recorder: Recorder
    report: Report
    view: View | None = None
    """What the caller may see; None for everything."""

    @contextlib.asynccontextmanager
    async def bell(self, wanted: PatternIndex[str], seconds: float) -> AsyncIterator[Bell]:
        """Give a bell that rings from now on, up to the end of the seconds."""
        bell = Bell(wanted)
        subscription = self.recorder.bus.subscribe(bell.receive)
        countdown = asyncio.ensure_future(self._count_down(seconds, bell))
        try:
            yield bell
        finally:
            subscription.close()
            countdown.cancel()

    async def _count_down(self, seconds: float, bell: Bell) -> None:
        passed = 0.0
        try:
            while passed < seconds:
                await self.report(passed, seconds)
                step = min(REPORT_EVERY, seconds - passed)
                await self.database.clock.sleep(step)
                passed += step
        finally:
            bell.end()
