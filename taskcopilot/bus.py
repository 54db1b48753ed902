"""The event bus: a blinker signal in a private namespace that carries committed events.

Normally the hub is its only receiver. blinker calls receivers in no stated order, lets one that raises keep the
others from hearing, and forgets receivers that nobody else refers to; here they are guarded and kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from blinker import Namespace, Signal

from taskcopilot.events import Event

__all__ = ["Bus", "Receiver", "Subscription"]

_log: Final = logging.getLogger(__name__)

SLOW: Final = 0.25
"""Seconds after which a receiver is named in the log: everything else waits while it works."""

Receiver = Callable[[Sequence[Event]], None]
"""Gets each batch of committed events in seq order, on the event loop; must not block, everything waits for it."""


class Subscription:
    """A receiver's place on the bus; `close` ends it."""

    def __init__(self, signal: Signal, handler: Callable[..., None]) -> None:
        self._signal = signal
        self._handler = handler

    def close(self) -> None:
        """Stop receiving; idempotent."""
        self._signal.disconnect(self._handler)


class Bus:
    """Publishes batches of committed events to its receivers. Used from the event loop only."""

    def __init__(self) -> None:
        signals = Namespace()
        self.signal = signals.signal("committed", doc="Events that were committed, in seq order.")
        self.passing = signals.signal("passing", doc="Events that nobody keeps.")

    def subscribe(self, receiver: Receiver) -> Subscription:
        """Call `receiver` with every batch from now on; one that raises or is slow is logged and stays subscribed."""
        return self._connect(self.signal, receiver)

    def subscribe_passing(self, receiver: Receiver) -> Subscription:
        """Call `receiver` with the passing events from now on; as `subscribe`."""
        return self._connect(self.passing, receiver)

    def _connect(self, signal: Signal, receiver: Receiver) -> Subscription:
        def guarded(_sender: Bus, *, events: Sequence[Event]) -> None:
            first, last, time = events[0].seq, events[-1].seq, asyncio.get_running_loop().time
            began = time()
            try:
                receiver(events)
            except Exception:  # noqa: BLE001
                _log.exception("a bus receiver failed on events %d to %d", first, last)
            if (took := time() - began) > SLOW:
                _log.warning("a bus receiver held everything up for %.2f s on events %d to %d", took, first, last)

        signal.connect(guarded, sender=self, weak=False)
        return Subscription(signal, guarded)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand the events to every receiver before returning. For the recorder only: committed events, in order."""
        if events:
            self.signal.send(self, events=events)

    def pass_on(self, events: Sequence[Event]) -> None:
        """Hand events that were not and will not be committed to who listens for them in this process, now."""
        if events:
            self.passing.send(self, events=events)
