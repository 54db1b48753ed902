"""Who listens to the metrics of skills, and the ticks that they get: one message per subscription, encoded once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.member import Sink
from taskcopilot.clock import Clock, iso
from taskcopilot.errors import BridgeError
from taskcopilot.rooms.desk import Desk
from taskcopilot.services.skills.sources import SkillSource
from taskcopilot.services.skills.ticks import Snapshot, encode_tick

__all__ = ["Listener", "SkillsDesk", "Ticker"]

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Listener:
    """A client that gets ticks: of one skill, of all (None), or, while it is silent, none."""

    sink: Sink
    skill: str | None = None
    is_silent: bool = False


@dataclass(slots=True, eq=False)
class SkillsDesk(Desk):
    """The desk of the metrics, which knows who listens. Used from the event loop only."""

    listeners: set[Listener] = field(default_factory=set)
    somebody: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while anybody listens."""

    def listen(self, listener: Listener) -> None:
        """Let a client have ticks."""
        self.listeners.add(listener)
        self.somebody.set()

    def forget(self, listener: Listener) -> None:
        """Let a client have no more ticks; idempotent."""
        self.listeners.discard(listener)
        if not self.listeners:
            self.somebody.clear()


class Ticker:
    """Sends ticks while it runs and somebody listens. They are passing: nothing of them is kept or sent again."""

    def __init__(self, desk: SkillsDesk, source: SkillSource, clock: Clock, interval: float, most: int) -> None:
        self._desk = desk
        self._source = source
        self._clock = clock
        self._interval = interval
        self._most = most
        """Bytes that may wait for a client; with more it misses ticks, as the next one says more than the last."""
        self._complaint = ""

    async def run(self) -> None:
        """Tick at every interval until cancelled. A tick that takes longer than that delays the next, and adds none."""
        due = self._clock.monotonic()
        while True:
            if not self._desk.somebody.is_set():
                await self._desk.somebody.wait()
                due = self._clock.monotonic()
            due = max(due + self._interval, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())
            await self._try()

    async def tick(self) -> None:
        """Send every listener how it is now; raises what the source raises. A slow listener misses it."""
        wanted = {listener.skill for listener in self._desk.listeners if not listener.is_silent}
        if not wanted:
            return
        snapshot = await self._source.read({skill for skill in wanted if skill is not None})
        frames = self._frames(wanted, snapshot)
        for listener in self._desk.listeners:
            if not listener.is_silent and listener.skill in frames and listener.sink.buffered() <= self._most:
                listener.sink.write(frames[listener.skill])

    def _frames(self, wanted: Collection[str | None], snapshot: Snapshot) -> dict[str | None, bytes]:
        at = iso(self._clock.now())
        return {skill: text_frame(encode_tick(at, snapshot, skill)) for skill in wanted}

    async def _try(self) -> None:
        """Tick; whatever is wrong with the source is said once, and not even a defect ends the ticks."""
        try:
            await self.tick()
            self._complaint = ""
        except BridgeError as error:
            if error.message != self._complaint:
                _log.warning("%s has no ticks: %s", self._desk.service.name, error)
            self._complaint = error.message
        except Exception:  # noqa: BLE001
            _log.exception("a tick of %s failed", self._desk.service.name)
