"""The only writer: runs units of work, commits them with their events, and publishes in seq order.

Units that wait while a commit is in flight share the next one (group commit). Each runs in a savepoint of its own, so
one that fails fails alone. Commit and publication belong to the recorder's own task: a caller that is cancelled stops
waiting, and nothing else changes (when callers did this work themselves, 10 % of cancelled ones left rows that
were committed and never published).

Other processes commit to the same log. Before our events go out, what they committed in between is read from the log
and published first; the follower does the same while we are idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from taskcopilot.bus import Bus
from taskcopilot.errors import BridgeError, OutcomeUnknownError, StoreError
from taskcopilot.events import Event
from taskcopilot.histogram import Histogram
from taskcopilot.store import event_log
from taskcopilot.store.database import Database
from taskcopilot.store.faults import translate
from taskcopilot.store.transaction import Surroundings, Tx

__all__ = ["Recorder", "Unit"]

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")

Unit = Callable[[Tx], T]
"""A unit of work: runs on the writer's thread inside one transaction; all of it happens or nothing."""

MAX_GROUP: Final = 64
"""Units in one commit: enough to hide the sync behind many callers, few enough to keep one commit short."""


COMMIT_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


@dataclass(slots=True)
class _Waiting:
    """A unit on its way: who waits for it, and what came of it."""

    unit: Unit[Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    passed: Sequence[Event] = ()


class Recorder:
    """Records units of work in the database and publishes their events. One per process and database."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self.bus = bus
        """Where the events go. To be listened to; only the recorder publishes."""
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._closed = False
        self.epoch = ""
        self.head = 0
        """The newest event that was published here; everything up to it was handed to the bus."""
        self.committed_at = 0.0
        """Seconds of the monotonic clock at the commit of what is being published; of others', when it was read."""
        self.commits = Histogram(COMMIT_BOUNDS)
        """Seconds that groups of units took, from their start to their commit, waiting for other processes included."""
        self.failures = 0
        """Groups of which nothing was kept."""

    @property
    def waiting(self) -> int:
        """How many units wait for their turn."""
        return len(self._queue)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Recorder]:
        """Start at the head of the log; on leaving, finish the units that were accepted."""
        state = await self._database.log_state()
        self.epoch, self.head = state.epoch, state.head
        task = asyncio.create_task(self._drain(), name="recorder")
        try:
            yield self
        finally:
            self._closed = True
            self._wake.set()
            await task

    async def record(self, unit: Unit[T]) -> T:
        """Run the unit, commit it, publish its events, and return its result.

        The events were handed to the bus when this returns. Raises what the unit raises, and then nothing of it is
        kept; StoreBusyError and StoreFullError likewise; OutcomeUnknownError when only a repetition can tell.
        Cancelling the caller does not stop the unit.
        """
        if self._closed:
            raise StoreError("the recorder is closed; nothing was changed")
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        result: T = await waiting.done  # no shield: cancelling it with its caller stops nothing, see _tell
        return result

    async def catch_up(self) -> None:
        """Publish what other processes committed since the last look. Called by the follower."""
        async with self._publishing:
            await self._fill(None)

    async def _drain(self) -> None:
        """Commit and publish until the recorder is closed and nothing waits any more. Nobody cancels this task."""
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._commit_next()

    async def _commit_next(self) -> None:
        """Commit the next group of units, publish, and only then tell the callers."""
        group = [self._queue.popleft() for _ in range(min(MAX_GROUP, len(self._queue)))]
        began = self._database.clock.monotonic()
        try:
            events, committed_at = await self._database.write(_commit, self._database.surroundings, group)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            self.failures += 1
            _fail(group, error)
            if isinstance(error, OutcomeUnknownError):
                await self._settle()
            return
        self.commits.observe(committed_at - began)
        try:
            await self._publish_own(events, committed_at)
            self.bus.pass_on([event for waiting in group for event in waiting.passed])
        finally:
            _tell(group)

    async def _settle(self) -> None:
        """Find out what a commit that failed with an I/O error left in the log, and publish it.

        While the disk refuses, the next unit tries again before it is run.
        """
        try:
            await self._database.reopen()
            await self.catch_up()
        except BridgeError as error:
            _log.warning("after an I/O error the database cannot be written: %s", error)

    async def _publish_own(self, events: Sequence[Event], committed_at: float) -> None:
        """Publish our events in order. If the log before them cannot be read now, the follower does it later."""
        if not events:
            return
        async with self._publishing:
            try:
                if events[0].seq > self.head + 1:
                    await self._fill(events[0].seq - 1)
            except Exception:  # noqa: BLE001 - the events are safe in the log, and the next look delivers them
                _log.exception("cannot read the log before event %d; it is delivered later", events[0].seq)
                return
            self._publish(events, committed_at)

    async def _fill(self, up_to: int | None) -> None:
        """Publish from the log, page by page, up to a number or to its present head."""
        while up_to is None or self.head < up_to:
            limit = event_log.PAGE if up_to is None else min(event_log.PAGE, up_to - self.head)
            _, page = await self._database.read_log(self.head, limit)
            self._publish(page, self._database.clock.monotonic())
            if len(page) < limit:
                return

    def _publish(self, events: Sequence[Event], committed_at: float) -> None:
        fresh = [event for event in events if event.seq > self.head]
        if fresh:
            self.head = fresh[-1].seq
            self.committed_at = committed_at
            self.bus.publish(fresh)


def _commit(
    connection: sqlite3.Connection, surroundings: Surroundings, group: list[_Waiting]
) -> tuple[list[Event], float]:
    """Run the group in one transaction, on the writer's thread; return its events and when they were committed.

    Raises only when the whole group failed.
    """
    committing = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        events = [event for waiting in group for event in _run(connection, surroundings, waiting)]
        committing = True
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise translate(error, committing=committing) from error
    return events, surroundings.clock.monotonic()


def _run(connection: sqlite3.Connection, surroundings: Surroundings, waiting: _Waiting) -> list[Event]:
    """Run one unit in its savepoint; an error of its own is kept for its caller and undoes only this unit."""
    connection.execute("SAVEPOINT unit")
    tx = Tx(connection, surroundings)
    try:
        waiting.result = waiting.unit(tx)
        events = event_log.append(connection, tx.at, tx.emitted)
        waiting.passed = [Event(0, tx.at, *event) for event in tx.passed]
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite gave up the whole transaction (disk full, I/O error): so does the group
        waiting.error = translate(error)
        connection.execute("ROLLBACK TO unit")
        events = []
    connection.execute("RELEASE unit")
    return events


def _tell(group: Sequence[_Waiting]) -> None:
    for waiting in group:
        if waiting.done.cancelled():
            continue
        if waiting.error is not None:
            waiting.done.set_exception(waiting.error)
            waiting.done.exception()  # a caller that went away does not turn this into a warning
        else:
            waiting.done.set_result(waiting.result)


def _fail(group: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in group:
        waiting.error = error
    _tell(group)
