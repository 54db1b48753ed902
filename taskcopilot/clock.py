"""Time and identity, injected: the only place that asks the machine for either.

Tests replace `Clock` by a fake whose time moves when they say so.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "iso"]


class Clock(Protocol):
    """What the bridge asks of time. Implementations may be called from any thread, but `sleep` from the loop only."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of `monotonic`; cancellable."""
        ...

    def new_id(self) -> str:
        """Return a fresh UUIDv4 in its 36-character form."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        """See Clock."""
        return str(uuid.uuid4())


def iso(moment: datetime) -> str:
    """Format as `YYYY-MM-DDTHH:MM:SS.mmmZ`, always three digits, so that text order is time order."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
