"""Tells the store who serves a service and who is in its rooms, so that every process can say how it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Final

from taskcopilot.clock import Clock
from taskcopilot.errors import BridgeError
from taskcopilot.recorder import Recorder, Unit
from taskcopilot.rooms.desk import Desk
from taskcopilot.store import service_presence
from taskcopilot.store.service_presence import FRESH, Presence
from taskcopilot.store.transaction import Tx

__all__ = ["Keeper"]

_log: Final = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks for changes: what is told is that old at most."""


class Keeper:
    """Reports the desks of one process while it runs."""

    def __init__(self, desks: Iterable[Desk], recorder: Recorder, clock: Clock, pid: int) -> None:
        self._desks = tuple(desks)
        self._recorder = recorder
        self._clock = clock
        self._pid = pid
        self._told: list[Presence] = []
        self._told_at = 0.0

    async def run(self) -> None:
        """Report now, whenever something changed, and often enough to count as alive; until cancelled."""
        while True:
            await self._look()
            await self._clock.sleep(LOOK)

    async def leave(self) -> None:
        """Say that the services are no longer served here."""
        await self._record(partial(_leave, [desk.service.name for desk in self._desks], self._pid))

    async def _look(self) -> None:
        present = [self._presence(desk) for desk in self._desks]
        now = self._clock.monotonic()
        if present == self._told and now - self._told_at < FRESH.total_seconds() / 3:
            return
        if await self._record(partial(_report, present)):
            self._told, self._told_at = present, now

    async def _record(self, unit: Unit[None]) -> bool:
        try:
            await self._recorder.record(unit)
        except BridgeError as error:
            _log.warning("cannot tell how the services are: %s", error)
            return False
        return True

    def _presence(self, desk: Desk) -> Presence:
        return Presence(
            service=desk.service.name,
            pid=self._pid,
            host=desk.host,
            port=desk.port,
            connections=desk.connections,
            rooms=dict(desk.rooms),
        )


def _report(present: list[Presence], tx: Tx) -> None:
    for presence in present:
        service_presence.report(tx, presence)


def _leave(services: list[str], pid: int, tx: Tx) -> None:
    for service in services:
        service_presence.leave(tx, service, pid)
