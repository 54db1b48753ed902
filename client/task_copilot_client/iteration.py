"""Events as an iterator: live from its inbox, and from the log itself where the inbox was too small.

An iterator that is slower than the events falls behind: when it has taken what its inbox held, it reads the log over
HTTP, page by page and at its own pace, and goes over to live events again at the log's head. The inbox is opened
before the last page is asked for, so nothing falls between; what is in both is recognised by its number.
"""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Protocol, Self

from task_copilot_client.cursor import Cursor, Gap
from task_copilot_client.errors import EventsLostError, NoEventLogError, UnreachableError
from task_copilot_client.http import Page
from task_copilot_client.inbox import Inbox, Sign
from task_copilot_client.matching import glob_match
from task_copilot_client.messages import Event

__all__ = ["EventIterator", "Log", "Surroundings"]

_log: Final = logging.getLogger("task_copilot_client")


class Log(Protocol):
    """What pages of the log are read from; Http is one."""

    def page(self, since: Cursor, patterns: Sequence[str]) -> Page:
        """See Http."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an iterator needs of its client."""

    log: Log
    report_gap: Callable[[Gap], None]
    is_callback_thread: Callable[[], bool]
    pause: Callable[[int], float]
    """Seconds to wait after so many failures in a row to read the log."""


class EventIterator:
    """The events of `TaskCopilotClient.events`, each once, in the order of the log. One thread iterates.

    It ends when `close` is called (by any thread; a `next` that waits returns at once), when the client disconnects
    (after what had come in by then), and when no event came for `timeout` seconds. An iterator that nobody
    holds any more ends by itself; `with` ends it for certain.

    A slow iterator delays nobody and loses nothing: see `TaskCopilotClient.events`.
    """

    def __init__(self, inbox: Inbox, patterns: Sequence[str], timeout: float | None, around: Surroundings) -> None:
        self._inbox = inbox
        self._patterns = patterns
        self._timeout = timeout
        self._around = around
        self._pages: deque[Event] = deque()
        self._read_to: Cursor | None = None
        self._is_behind = False
        self._failures = 0
        self._is_closed = False
        self.is_disconnected = False
        """True when it ended because the client was disconnected."""
        weakref.finalize(self, inbox.abandon).atexit = False

    def __iter__(self) -> Self:
        """Return itself: there is one position, however many loops."""
        return self

    def __next__(self) -> Event:
        """Wait for the next event and return it.

        Raises EventsLostError when it was too slow on a server that keeps no log; iterating may go on after that.
        SubscriptionError when the bridge refuses the subscription later than `events` could tell. RuntimeError inside
        a callback, which would wait for itself.
        """
        if self._around.is_callback_thread():
            raise RuntimeError("events cannot be waited for inside a callback: it would wait for itself")
        while not self._is_closed:
            event = self._step()
            if event is not None:
                return event
        raise StopIteration

    def close(self) -> None:
        """End the iteration and the subscription. Any thread, any number of times."""
        self._is_closed = True
        self._inbox.close()
        self._inbox.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _step(self) -> Event | None:
        """Take one step: None means that there is to be another, unless this one closed it."""
        if self._pages:
            return self._pages.popleft()
        if self._is_behind:
            self._turn_page()
            return None
        match self._inbox.get(self._timeout):
            case Event() as event:
                return event if self._is_news(event) else None
            case Sign.OVERFLOWED:
                self._fall_behind()
            case Sign.ENDED:
                self._end()
            case Sign.SILENT:
                self.close()
        return None

    def _is_news(self, event: Event) -> bool:
        """Tell whether a live event was not in the pages, and note that everything up to it is ours."""
        at, reached = self._read_to, event.position
        if at is not None and reached is not None and at.is_comparable(reached) and reached.seq <= at.seq:
            return False
        self._read_to = reached
        return True

    def _fall_behind(self) -> None:
        if self._read_to is None:
            raise EventsLostError("the iterator was too slow, and this server keeps no log to read again")
        _log.info("an iterator is behind: reading the log from %s", self._read_to)
        self._is_behind = True

    def _turn_page(self) -> None:
        """Read the next page; where that is not possible now, wait a little, or end with the client."""
        since = self._read_to
        if since is None:
            raise AssertionError("only who knows where it is can be behind")
        try:
            page = self._around.log.page(since, self._patterns)
        except NoEventLogError as error:
            self._is_behind = False
            raise EventsLostError("the iterator was too slow, and the log is gone") from error
        except UnreachableError as error:
            self._retry_later(error)
            return
        self._failures = 0
        self._take(page)
        self._is_behind = since.seq < page.next.seq < page.head.seq

    def _take(self, page: Page) -> None:
        if page.gap is not None:
            self._around.report_gap(page.gap)
        self._pages.extend(
            replace(event, epoch=page.head.epoch)
            for event in page.events
            if self._inbox.wants(event) and any(glob_match(pattern, event.topic) for pattern in self._patterns)
        )
        self._read_to = page.next

    def _retry_later(self, error: UnreachableError) -> None:
        _log.log(logging.DEBUG if self._failures else logging.WARNING, "cannot read the log, will retry: %s", error)
        if self._inbox.pause(self._around.pause(self._failures)):
            self._end()
        self._failures += 1

    def _end(self) -> None:
        self.is_disconnected = not self._is_closed
        self.close()
