"""The deliverer: reads the log like any other reader, and brings each endpoint what it wants, one event after another.

One process of a workspace delivers, the one that holds the lock beside the database. An endpoint's position is
committed after the endpoint has taken the event, so whatever ends the process, the event comes again: at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from taskcopilot.clock import Clock
from taskcopilot.core import Core, background
from taskcopilot.errors import BridgeError
from taskcopilot.events import Event
from taskcopilot.store import webhooks
from taskcopilot.store.webhooks import Webhook
from taskcopilot.topics import Selector
from taskcopilot.web.keys import CORE
from taskcopilot.web.webhooks.message import write
from taskcopilot.web.webhooks.sending import Outcome, Sender

__all__ = ["ATTEMPTS", "backoff", "deliver_webhooks"]

_log: Final = logging.getLogger(__name__)

LOOK: Final = 2.0
"""Seconds between two looks for endpoints that were added, removed or are due."""

ATTEMPTS: Final = 10
"""Attempts until an event is a dead letter: with the pauses between them from 21 to 43 minutes."""

_FIRST, _LONGEST = 5.0, 3_600.0
"""Seconds between two attempts, doubled each time."""


def backoff(attempts: int, clock: Clock) -> float:
    """Return the seconds until the next attempt, somewhere in the upper half: many must not come back at once."""
    longest: float = min(_LONGEST, _FIRST * 2.0 ** (attempts - 1))
    chance = int(clock.new_id().replace("-", "")[-8:], 16) / 0xFFFF_FFFF
    return longest * (0.5 + chance / 2)


async def deliver_webhooks(app: web.Application) -> AsyncIterator[None]:
    """Deliver while the application runs; for its `cleanup_ctx`."""
    async with background(_Deliverer(app[CORE]).run(), "webhooks"):
        yield


class _Deliverer:
    """Runs a task for each endpoint, as long as this process is the one that delivers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        path = self._core.database.path
        lock = await asyncio.to_thread(_open, path.with_name(path.name + ".webhooks"))
        try:
            while not _take(lock):
                await self._core.clock.sleep(LOOK)
            while True:
                await self._look()
                await self._core.clock.sleep(LOOK)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            os.close(lock)

    async def _look(self) -> None:
        """Start a task for every endpoint that has none; the tasks end by themselves."""
        try:
            present = await self._core.database.read(webhooks.listed)
        except BridgeError as error:
            _log.warning("cannot read the webhooks: %s", error)
            return
        self._tasks = {name: task for name, task in self._tasks.items() if not task.done()}
        for webhook in present:
            if webhook.id not in self._tasks and webhook.disabled is None:
                endpoint = _Endpoint(self._core, webhook.id)
                self._tasks[webhook.id] = asyncio.create_task(endpoint.run(), name=f"webhook {webhook.id}")


class _Endpoint:
    """Brings one endpoint its events."""

    def __init__(self, core: Core, webhook_id: str) -> None:
        self._core = core
        self._id = webhook_id
        self._committed = asyncio.Event()
        self._read_to = 0

    async def run(self) -> None:
        """Deliver until the endpoint is removed or disabled, or there is a defect: the next look starts anew."""
        subscription = self._core.bus.subscribe(self._wake)
        try:
            while True:
                self._committed.clear()
                webhook = await self._core.database.read(partial(webhooks.find, webhook_id=self._id))
                if webhook.disabled is not None:
                    return
                await self._step(webhook)
        except BridgeError as error:
            _log.info("webhook %s: %s", self._id, error)
        except Exception:  # noqa: BLE001
            _log.exception("delivering to webhook %s failed", self._id)
        finally:
            subscription.close()

    def _wake(self, _events: Sequence[Event]) -> None:
        self._committed.set()

    async def _step(self, webhook: Webhook) -> None:
        """Do one thing: wait, try a dead letter once more, or try the next event."""
        now = self._core.clock.now()
        if webhook.due_at is not None and (wait := (datetime.fromisoformat(webhook.due_at) - now).total_seconds()) > 0:
            await self._core.clock.sleep(min(wait, LOOK))
        elif letter := await self._core.database.read(partial(webhooks.revived, webhook_id=self._id)):
            await self._try_again(webhook, letter)
        elif event := await self._next(webhook):
            await self._try(webhook, event)
        else:
            await self._wait_for_events()

    async def _next(self, webhook: Webhook) -> Event | None:
        """Return the next event that it wants, reading the log page by page; None at the head."""
        wanted = [Selector.of(topic, frozenset(webhook.types) or None) for topic in webhook.topics]
        after = max(webhook.position, self._read_to)
        while True:
            state, page = await self._core.database.read_log(after)
            if after < state.pruned_to:
                _log.warning("webhook %s: retention removed events before it took them", self._id)
            for event in page:
                if any(selector.matches(event.topic, event.type, event.rooms) for selector in wanted):
                    return event
                self._read_to = after = event.seq
            if not page:
                return None
            await self._record(partial(webhooks.advance, webhook_id=self._id, position=after))

    async def _wait_for_events(self) -> None:
        """Wait for a commit, or for the next look: a dead letter may be wanted again."""
        waiting = {
            asyncio.ensure_future(self._committed.wait()),
            asyncio.ensure_future(self._core.clock.sleep(LOOK)),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    async def _try(self, webhook: Webhook, event: Event) -> None:
        outcome = await self._send(webhook, event)
        if outcome.delivered:
            await self._record(partial(webhooks.advance, webhook_id=self._id, position=event.seq))
        elif outcome.gone:
            _log.warning("webhook %s is disabled: %s", self._id, outcome.reason, extra={"seq": event.seq})
            await self._record(partial(webhooks.disable, webhook_id=self._id, reason=outcome.reason))
        elif webhook.attempts + 1 >= ATTEMPTS:
            _log.warning("webhook %s: a dead letter: %s", self._id, outcome.reason, extra={"seq": event.seq})
            await self._record(partial(webhooks.bury, webhook_id=self._id, event=event, reason=outcome.reason))
        else:
            attempts = webhook.attempts + 1
            wait = timedelta(seconds=max(backoff(attempts, self._core.clock), outcome.retry_after))
            until = self._core.clock.now() + wait
            _log.info("webhook %s: %s; attempt %d", self._id, outcome.reason, attempts, extra={"seq": event.seq})
            await self._record(partial(webhooks.postpone, webhook_id=self._id, attempts=attempts, until=until))

    async def _try_again(self, webhook: Webhook, letter: Event) -> None:
        """Try a dead letter once."""
        outcome = await self._send(webhook, letter)
        if outcome.delivered:
            await self._record(partial(webhooks.settle, webhook_id=self._id, seq=letter.seq))
        else:
            await self._record(partial(webhooks.bury, webhook_id=self._id, event=letter, reason=outcome.reason))

    async def _send(self, webhook: Webhook, event: Event) -> Outcome:
        sender = Sender(private=webhook.private)
        try:
            now = int(self._core.clock.now().timestamp())
            message = write(event, self._core.recorder.epoch, webhook.format, webhook.secret, now)
            return await sender.send(webhook, message)
        finally:
            await sender.close()

    async def _record(self, unit: partial[None]) -> None:
        await self._core.recorder.record(unit)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(lock: int) -> bool:
    """Become the one that delivers, or return False while another process is."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
