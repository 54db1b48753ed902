"""How fast a session is told: one by one while it lasts, then summed up; nothing is dropped without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from taskcopilot.bridge.rate import Bucket
from taskcopilot.channel.notice import Notice, of_event, of_surplus

__all__ = ["Outbox"]


class Outbox:
    """Decides, for each event in order, whether it is told now or counted. Knows no I/O; time is given."""

    def __init__(self, bucket: Bucket, epoch: str) -> None:
        self._bucket = bucket
        self._epoch = epoch
        self._counts: Counter[str] = Counter()
        self._first = self._last = 0

    @property
    def is_empty(self) -> bool:
        """Whether everything was told that was offered."""
        return not self._counts

    def offer(self, envelope: Mapping[str, Any], now: float) -> Notice | None:
        """Take an event; return its notice when it may be told now. Later ones never overtake what was counted."""
        if self.is_empty and self._bucket.take(now) == 0:
            return of_event(envelope, self._epoch)
        self._first = self._first or envelope["seq"]
        self._last = envelope["seq"]
        self._counts[envelope["payload"]["eventType"]] += 1
        return None

    def due(self, now: float) -> Notice | float:
        """Return the notice about what was counted when it may be told now, or the seconds until then."""
        return self._bucket.take(now) or self.flush()

    def flush(self) -> Notice:
        """Return the notice about what was counted, whatever the rate; something must have been."""
        told = of_surplus(self._counts, self._first, self._last, self._epoch)
        self._counts, self._first, self._last = Counter(), 0, 0
        return told
