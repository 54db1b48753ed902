"""What one client publishes for the others in its rooms: throttled, and taken back when the client goes away."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from taskcopilot.clock import Clock
from taskcopilot.errors import BridgeError, InvalidArgumentError
from taskcopilot.services.event import ServiceEvent, fill
from taskcopilot.services.publishing import Publisher
from taskcopilot.services.service import Service

__all__ = ["Relaying"]

_log: Final = logging.getLogger(__name__)

MAX_PRESENT: Final = 100
"""Things that one client may be present in at once: each costs an event when it goes."""


class Relaying:
    """The published events of one connection."""

    def __init__(self, service: Service, publisher: Publisher, clock: Clock, mark: str) -> None:
        self._service = service
        self._mark = mark
        self._publisher = publisher
        self._clock = clock
        self._last: dict[tuple[str | None, ...], float] = {}
        self._present: dict[str, ServiceEvent] = {}

    async def publish(self, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Publish an event that the service relays, and return what the client is answered.

        Raises what publishing raises; one that comes too early is passed over.
        """
        relay = self._service.relay(name)
        assert relay is not None, "the session has checked"  # noqa: S101
        event = self._service.read(name, data)
        if relay.every and not self._is_due((name, *event.rooms(), fill(relay.per, vars(event))), relay.every):
            return {"status": "throttled"}
        undone = None if relay.undone_by is None else relay.undone_by(event)
        if undone is not None and len(self._present) >= MAX_PRESENT and _key(undone) not in self._present:
            raise InvalidArgumentError(f"present more than {MAX_PRESENT} times", field="event")
        published = await self._publisher.send(self._service, name, event, self._mark)
        if undone is not None:
            self._present[_key(undone)] = undone
        elif relay.undoes is not None:
            self._present.pop(_key(event), None)
        return {"status": "published", "seq": published.seq}

    async def undo(self) -> None:
        """Publish what takes back the client's presence."""
        present, self._present = self._present, {}
        for event in present.values():
            try:
                await self._publisher.send(self._service, event.event, event)
            except BridgeError as error:
                _log.warning("cannot say that a client of %s went away: %s", self._service.name, error)

    def _is_due(self, key: tuple[str | None, ...], every: float) -> bool:
        now = self._clock.monotonic()
        last = self._last.get(key)
        if last is not None and now - last < every:
            return False
        if len(self._last) > MAX_PRESENT:
            self._last.clear()
        self._last[key] = now
        return True


def _key(undone: ServiceEvent) -> str:
    """Return what an event that takes something back says, whenever it is said."""
    return undone.event + undone.model_dump_json(exclude={"timestamp"})
