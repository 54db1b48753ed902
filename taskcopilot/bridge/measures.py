"""What the hub and its clients count. Plain numbers, so that counting costs the delivery nothing that is felt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from taskcopilot.histogram import Histogram

__all__ = ["DELIVERY_BOUNDS", "HANDLING_BOUNDS", "Measures"]

HANDLING_BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the bounds of the ecosystem's servers."""

DELIVERY_BOUNDS: Final = (0.0001, 0.00025, 0.0005, *HANDLING_BOUNDS)
"""Seconds; the ecosystem's, and finer ones where deliveries really are."""


def _standing() -> float:
    return 0.0


class Measures:
    """The counters of one hub. Used from the event loop only; nothing here is ever reset."""

    def __init__(self, now: Callable[[], float] = _standing, committed: Callable[[], float] = _standing) -> None:
        """`now` and `committed` return seconds of one monotonic clock: now, and at the commit of what is delivered."""
        self.now = now
        self.committed = committed
        self.delivery = Histogram(DELIVERY_BOUNDS)
        """From the commit to the last write of its turn, once per turn; without clients that asked for batches."""
        self.handling = Histogram(HANDLING_BOUNDS)
        """From a client's message to its answer."""
        self.live = 0
        """Events written to live clients, one per event and client."""
        self.replayed = 0
        """Events written to clients on their way through the log."""
        self.slow = 0
        """How often a client left live delivery because it did not keep up."""
        self.gaps = 0
        """How often a client was told that events are gone."""
        self.opened: Counter[str] = Counter()
        """Sockets that were opened, by `ws` or `wss`."""
        self.closed = 0
        """Sockets that were closed again."""
        self.received: Counter[str] = Counter()
        """Messages of clients by what they ask for."""
        self.errors: Counter[str] = Counter()
        """Messages that were refused, by code."""
