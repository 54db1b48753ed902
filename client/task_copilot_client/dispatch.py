"""The callback thread: runs all code of the user, one call at a time, in order."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from task_copilot_client.cursor import Cursor
from task_copilot_client.messages import Event

__all__ = ["CAPACITY", "Delivery", "Dispatcher", "Notice"]

_log: Final = logging.getLogger("task_copilot_client")

CAPACITY: Final = 2_000
"""Deliveries that may wait for callbacks. Above it nothing is read any more: the log of the bridge is the queue."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event and the registrations that get it. `before` is the cursor of whoever has not had it yet."""

    event: Event
    takers: frozenset[int]
    before: Cursor | None


@dataclass(frozen=True, slots=True)
class Notice:
    """News about the connection itself, for handlers of `on_state` and `on_gap`."""

    handlers: tuple[Callable[..., object], ...]
    arguments: tuple[Any, ...]


Item = Delivery | Notice


class Dispatcher:
    """A queue and the one thread that empties it.

    A callback that raises is reported through logging and stops nothing. Deliveries that are left when it is closed
    stay in the queue and come first after the next start; notices are still given before the thread ends.
    """

    def __init__(self, callbacks: Callable[[Delivery], Sequence[Callable[..., object]]]) -> None:
        self._callbacks = callbacks
        self._queue: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = True
        self._thread: threading.Thread | None = None
        self.relieved: Callable[[], None] = lambda: None
        """Called on the callback thread when the queue, full before, is half empty."""

    def start(self) -> None:
        """Start the thread; the one before it must have been joined."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="task-copilot-callbacks", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item. Never waits: whoever feeds the queue asks `is_full` first."""
        with self._changed:
            self._queue.append(item)
            self._changed.notify()

    @property
    def is_full(self) -> bool:
        """True when nothing more should be put for now."""
        return len(self._queue) >= CAPACITY

    @property
    def is_current(self) -> bool:
        """True when asked from inside a callback."""
        return threading.current_thread() is self._thread

    def positions(self) -> list[Cursor | None]:
        """Return the cursors before each delivery that waits or is under way, oldest first."""
        with self._changed:
            return [item.before for item in self._queue if isinstance(item, Delivery)]

    def close(self) -> None:
        """Let the thread end after the callback that is running."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self) -> None:
        """Wait until the thread has ended; from inside a callback this returns at once."""
        if self._thread is not None and not self.is_current:
            self._thread.join()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._perform(item)
            self._done(item)

    def _next(self) -> Item | None:
        """Return the item to work on; it stays in the queue until it is done."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            if not self._closed:
                return self._queue[0]
            return next((item for item in self._queue if isinstance(item, Notice)), None)

    def _done(self, item: Item) -> None:
        with self._changed:
            self._queue.remove(item)
        if len(self._queue) == CAPACITY // 2:
            self.relieved()

    def _perform(self, item: Item) -> None:
        match item:
            case Delivery(event):
                for callback in self._callbacks(item):
                    _call(callback, (event.topic, event.type, event.data))
            case Notice(handlers, arguments):
                for handler in handlers:
                    _call(handler, arguments)


def _call(callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        callback(*arguments)
    except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, it is the callback's
        _log.exception("callback %r failed on %s", callback, " ".join(str(argument) for argument in arguments[:2]))
