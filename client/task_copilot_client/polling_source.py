"""Events over HTTP: the same log, read in pages from the same cursor, as `GET /api/events` gives it.

A server of the original kind has no log; its tasks are polled instead (task_polling.py).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from task_copilot_client.errors import NoEventLogError, UnreachableError
from task_copilot_client.feed import Feed
from task_copilot_client.http import Http, Page
from task_copilot_client.machine import Outcome
from task_copilot_client.signals import Signals
from task_copilot_client.subscriptions import Registration, all_patterns
from task_copilot_client.task_polling import TaskPolling

__all__ = ["PollingSource"]

_log: Final = logging.getLogger("task_copilot_client")


class PollingSource:
    """Reads the log up to its head, or the tasks where there is no log. Used by the connection thread only."""

    def __init__(self, http: Http, feed: Feed) -> None:
        self._http = http
        self._feed = feed
        self._tasks = TaskPolling(http, feed)
        self._has_no_log = False
        self._complained = False

    @property
    def is_due(self) -> bool:
        """True when a subscription waits for its first poll."""
        return not all(self._feed.is_active(registration) for registration in self._feed.registrations())

    def poll(self, signals: Signals) -> Outcome:
        """Bring every matching event after the cursor; POLL_FAILED when that was not possible, or not all of it.

        With nothing subscribed, one small request shows that the bridge is there.
        """
        try:
            self._bring(signals)
        except UnreachableError as error:
            self._has_no_log = False  # whoever answers next may be another server
            self._complain(error)
            return Outcome.POLL_FAILED
        self._complained = False
        signals.settled()
        return Outcome.POLLED

    def forget(self) -> None:
        """Take note that events have come another way since the last poll."""
        self._has_no_log = False
        self._tasks.forget()

    def _bring(self, signals: Signals) -> None:
        if self._has_no_log:
            self._poll_tasks(signals)
            return
        try:
            self._catch_up(signals)
        except NoEventLogError as error:
            self._poll_tasks(signals)
            self._has_no_log = True
            _log.warning("%s: its tasks are polled, and events concluded from them", error)

    def _poll_tasks(self, signals: Signals) -> None:
        while signals.is_full() and not signals.stopping():
            signals.bell.wait(1.0)
        self._tasks.poll()

    def _catch_up(self, signals: Signals) -> None:
        registrations = self._feed.registrations()
        if self.is_due or not registrations or self._feed.cursor is None:
            self._enter(registrations)
        while registrations and not signals.stopping():
            if signals.is_full():
                signals.bell.wait(1.0)
            elif not self._turn_page(registrations):
                return
            registrations = self._feed.registrations()

    def _enter(self, registrations: Sequence[Registration]) -> None:
        """Let new registrations in: from the head as it is now, or from where they asked."""
        head = self._http.head()
        self._feed.begin(registrations)
        self._feed.acknowledge({registration.id for registration in registrations}, head, None)

    def _turn_page(self, registrations: Sequence[Registration]) -> bool:
        """Take the next page; False when it was the last."""
        since = self._feed.cursor
        if since is None:
            return False
        page = self._http.page(since, all_patterns(registrations))
        self._feed.acknowledge((), page.head, page.gap)
        for event in page.events:
            self._feed.event(event)
        self._feed.advance(page.next.seq)
        return _goes_on(since.seq, page)

    def _complain(self, error: UnreachableError) -> None:
        """Tell once why polling does not work, until it has worked again."""
        level = logging.DEBUG if self._complained else logging.WARNING
        self._complained = True
        _log.log(level, "cannot poll: %s", error)


def _goes_on(since: int, page: Page) -> bool:
    return since < page.next.seq < page.head.seq
