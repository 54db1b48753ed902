"""Who may still come in, and how often one address may ask for changes. Decides without I/O."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

from taskcopilot.bridge.rate import Bucket

__all__ = ["Crowd", "WriteRates"]

_ADDRESSES: Final = 4_096
"""Addresses whose rates are remembered; beyond that the one that asked longest ago is forgotten."""


class Crowd:
    """Counts the connections of all ports of a process. Used from the event loop only."""

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._of: Counter[str] = Counter()
        self.inside = 0
        """Connections that are open."""
        self.refused: Counter[str] = Counter()
        """Connections that were not let in, by the limit or the failure that kept them out."""

    def enter(self, address: str) -> str | None:
        """Count a connection in and return None, or return the name of the setting that keeps it out."""
        if (full := self.full_for(address)) is not None:
            self.refused[full] += 1
            return full
        self.inside += 1
        self._of[address] += 1
        return None

    def full_for(self, address: str) -> str | None:
        """Return the name of the setting that would keep the address out now, or None."""
        if self.inside >= self._total:
            return "max_connections"
        return "max_connections_per_address" if self._of.get(address, 0) >= self._per_address else None

    def leave(self, address: str) -> None:
        """Count a connection out that was counted in."""
        self.inside -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]


class WriteRates:
    """A bucket per address, of those that asked for changes lately. Used from the event loop only."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, address: str, now: float) -> float:
        """Return 0 for a request that may be served, or the seconds until the next one may."""
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = Bucket(self._rate, self._rate, now)
        self._buckets.move_to_end(address)
        waiting = bucket.take(now)
        self._forget(now)
        return waiting

    def _forget(self, now: float) -> None:
        """Drop who has been quiet for long, one a request, and who asked longest ago when there are too many."""
        oldest = next(iter(self._buckets))
        if len(self._buckets) > _ADDRESSES or self._buckets[oldest].is_full(now):
            del self._buckets[oldest]
