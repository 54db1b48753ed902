"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import uuid
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time for tests: `advance` moves it and wakes the sleepers whose time has come, in order."""

    def __init__(self, start: datetime = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, float, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """See taskcopilot.clock.Clock."""
        return self._now

    def monotonic(self) -> float:
        """See taskcopilot.clock.Clock."""
        return self._monotonic

    def new_id(self) -> str:
        """See taskcopilot.clock.Clock."""
        return str(uuid.uuid4())

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the time that far."""
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time forward, and wake who slept until then."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            *_, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many tasks wait for time to pass."""
        return sum(not future.done() for *_, future in self._sleepers)

    def sleeping(self, seconds: float) -> int:
        """How many tasks wait that were told to wait for so long."""
        return sum(asked == seconds and not future.done() for *_, asked, future in self._sleepers)
