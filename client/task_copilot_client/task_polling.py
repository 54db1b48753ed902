"""Events from a server that keeps no log: its tasks are read again and again, and what differs becomes events."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from task_copilot_client.differ import events_between
from task_copilot_client.feed import Feed
from task_copilot_client.http import Http
from task_copilot_client.snapshot import Snapshot
from task_copilot_client.subscriptions import Registration

__all__ = ["TaskPolling"]

_log: Final = logging.getLogger("task_copilot_client")

_DERIVED: Final = ("task", "stream")
"""The entities whose events can be concluded from tasks."""


class TaskPolling:
    """One request a poll, whatever is subscribed. Used by the connection thread only.

    A subscription starts with the state of its first poll: what was there before is no event. Events are lost that lie
    between a WebSocket's end and the first poll after it, and between the last poll and the next WebSocket: there is
    nothing to compare with, and nothing to ask.
    """

    def __init__(self, http: Http, feed: Feed) -> None:
        self._http = http
        self._feed = feed
        self._last: Snapshot | None = None

    def poll(self) -> None:
        """Bring what has changed since the last poll; UnreachableError when the tasks cannot be read."""
        now = self._http.tasks()
        if self._last is not None:
            for event in events_between(self._last, now):
                self._feed.event(event)
        self._last = now
        self._let_in(self._feed.registrations())

    def _let_in(self, registrations: Sequence[Registration]) -> None:
        for registration in registrations:
            if not self._feed.is_active(registration):
                _warn(registration)
        self._feed.acknowledge({registration.id for registration in registrations}, None, None)

    def forget(self) -> None:
        """Compare with nothing at the next poll: what has happened since the last one was told by somebody else."""
        self._last = None


def _warn(registration: Registration) -> None:
    """Say what a subscription wants and will not get."""
    if registration.since is not None:
        _log.warning("the server keeps no log: past events cannot be delivered")
    for pattern in registration.patterns:
        entity, colon, _ = pattern.partition(":")
        if colon and not any(mark in entity for mark in "*?") and entity not in _DERIVED:
            _log.warning("the server keeps no log: events of %s cannot be had by polling", pattern)
