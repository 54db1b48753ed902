"""Where both transports deliver to: what they bring is counted in the ledger and queued for the callbacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, Protocol

from task_copilot_client.cursor import Cursor, Gap, oldest
from task_copilot_client.dispatch import Delivery
from task_copilot_client.errors import SubscriptionError
from task_copilot_client.ledger import Ledger
from task_copilot_client.messages import Event
from task_copilot_client.subscriptions import Registration, Registry

__all__ = ["Feed", "Outbox"]

_log: Final = logging.getLogger("task_copilot_client")


class Outbox(Protocol):
    """What takes deliveries; the dispatcher is one."""

    def put(self, item: Delivery) -> None:
        """Queue a delivery without waiting."""
        ...

    def positions(self) -> list[Cursor | None]:
        """Return the cursors before each delivery that is not finished."""
        ...


class Feed:
    """One client's intake. The connection thread owns it; `position` may be read from any thread."""

    def __init__(self, registry: Registry, outbox: Outbox, report_gap: Callable[[Gap], None]) -> None:
        self._registry = registry
        self._outbox = outbox
        self._report_gap = report_gap
        self._ledger = Ledger()
        self._seen: tuple[Registration, ...] = ()

    def registrations(self) -> tuple[Registration, ...]:
        """Return what is wanted now, the same tuple while nothing changes, and forget what is no longer wanted."""
        present = self._registry.snapshot()
        if present is not self._seen:
            self._seen = present
            self._ledger.retain({registration.id for registration in present})
        return present

    @property
    def cursor(self) -> Cursor | None:
        """Up to where everything has been queued: what the next request resumes from."""
        return self._ledger.cursor

    @property
    def position(self) -> Cursor | None:
        """Up to where every callback has returned: what a later process may resume from."""
        reached = self._ledger.cursor  # read before the queue: an event is queued first and counted then
        waiting = self._outbox.positions()
        asked = [each.since for each in self._registry.snapshot() if not self._ledger.is_active(each.id)]
        return oldest([*waiting, reached, *asked])

    def is_active(self, registration: Registration) -> bool:
        """Tell whether the registration gets events by now."""
        return self._ledger.is_active(registration.id)

    def begin(self, registrations: Collection[Registration]) -> Cursor | None:
        """Prepare one replay that serves all of these; return the cursor to ask with, None for the head."""
        return self._ledger.begin([(each.id, each.since) for each in registrations])

    def acknowledge(self, ids: Collection[int], head: Cursor | None, gap: Gap | None) -> None:
        """Take the bridge's word that these registrations are in force, and let their waiters go on."""
        missing = self._ledger.acknowledge(ids, head, gap)
        self._answer(ids, None)
        if missing is not None:
            self._tell(missing)

    def reject(self, ids: Collection[int], error: SubscriptionError) -> None:
        """Remove refused registrations; whoever waits gets the error, and the log where nobody waits."""
        if not any(each.answer.is_awaited for each in self._registry.snapshot() if each.id in ids):
            _log.error("subscription to %s refused: %s", ", ".join(error.topics), error)
        self._answer(ids, error)
        self._registry.discard(ids)

    def event(self, event: Event) -> None:
        """Queue an event for those who have not had it."""
        if not self._ledger.is_news(event.seq):
            return
        takers = frozenset(
            each.id
            for each in self._registry.snapshot()
            if self._ledger.may_have(each.id, event.seq) and each.matches(event.topic)
        )
        if takers:
            at = self._ledger.cursor
            self._outbox.put(Delivery(replace(event, epoch=at.epoch) if at else event, takers, at))
        self._ledger.passed(event.seq)

    def advance(self, seq: int | None) -> None:
        """Note that every matching event up to here has been brought."""
        self._ledger.passed(seq)

    def missed(self, gap: Gap) -> None:
        """Report events that are gone, and go on behind them."""
        self._ledger.passed(gap.last)
        self._tell(gap)

    def _tell(self, gap: Gap) -> None:
        _log.warning("events %d to %d can no longer be delivered", gap.first, gap.last)
        self._report_gap(gap)

    def _answer(self, ids: Collection[int], error: SubscriptionError | None) -> None:
        for registration in self._registry.snapshot():
            if registration.id in ids:
                registration.answer.give(error)

    def let_go(self) -> None:
        """Let everybody go on who waits for an answer: there is no connection, the registrations stay for the next."""
        for registration in self._registry.snapshot():
            registration.answer.give()
