"""Between the callback thread and a thread that iterates: events of one iterator, so many at most.

The callback thread never waits here. What does not fit is not kept but counted, and so is all that comes after it,
until the other side has taken everything and been told. So what is handed out has no hole: there is only an end,
after which the log itself has to be read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final

from task_copilot_client.errors import SubscriptionError
from task_copilot_client.matching import glob_match
from task_copilot_client.messages import Event

__all__ = ["CAPACITY", "Inbox", "Sign"]

CAPACITY: Final = 1_000
"""Events that may wait for an iterator."""


class Sign(Enum):
    """What `get` says instead of an event."""

    OVERFLOWED = "events that came did not fit; from now on they are kept again"
    ENDED = "no event comes any more"
    SILENT = "none came in time"


class Inbox:
    """Called with events by one thread, emptied by another; any thread may end it."""

    def __init__(self, event_types: Sequence[str], capacity: int = CAPACITY) -> None:
        self._event_types = event_types
        self._capacity = capacity
        self._changed = threading.Condition()
        self._queue: deque[Event] = deque()
        self._lost = 0
        self._error: SubscriptionError | None = None
        self._is_ended = False
        self._is_abandoned = False
        self.leave: Callable[[], object] = lambda: None
        """Called on the callback thread when nobody is left who could take an event."""

    def wants(self, event: Event) -> bool:
        """Tell whether the event is of a type that was asked for; none named is every type."""
        return not self._event_types or any(glob_match(wanted, event.type) for wanted in self._event_types)

    def __call__(self, event: Event, *_: Any) -> None:
        """Take an event in, without waiting."""
        if self._is_abandoned:
            self.leave()
        elif self.wants(event):
            self._put(event)

    def _put(self, event: Event) -> None:
        with self._changed:
            if self._is_ended:
                return
            if self._lost or len(self._queue) >= self._capacity:
                self._lost += 1
            else:
                self._queue.append(event)
            self._changed.notify_all()

    def get(self, timeout: float | None) -> Event | Sign:
        """Wait for the next event, for so many seconds at most; raises the error of a refused subscription."""
        with self._changed:
            if not self._changed.wait_for(self._has_news, timeout):
                return Sign.SILENT
            if self._queue:
                return self._queue.popleft()
            if self._error is not None:
                raise self._error
            if self._is_ended:
                return Sign.ENDED
            self._lost = 0
            return Sign.OVERFLOWED

    def _has_news(self) -> bool:
        return bool(self._queue or self._lost or self._error or self._is_ended)

    def pause(self, seconds: float) -> bool:
        """Wait, and return True as soon as it is ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_ended, seconds)

    @property
    def is_ended(self) -> bool:
        """True when nothing comes in any more; events may still wait to be taken."""
        return self._is_ended

    def answered(self, error: SubscriptionError | None) -> None:
        """Let the one who waits know that the bridge has refused the subscription."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def end(self) -> None:
        """Take nothing more in; what waits can still be taken."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """End it, and throw away what waits."""
        with self._changed:
            self._queue.clear()
        self.end()

    def abandon(self) -> None:
        """Note that nobody iterates any more. Takes no lock: the garbage collector may call this anywhere."""
        self._is_abandoned = True
