"""How an event of a service is published: checked, folded into the state and logged in one unit of work.

A passing event is only checked, and handed to who is in its rooms now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from taskcopilot.bus import Bus
from taskcopilot.clock import Clock, iso
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.events import Event
from taskcopilot.recorder import Recorder
from taskcopilot.services.event import ServiceEvent
from taskcopilot.services.service import Service, parse
from taskcopilot.store import event_log, service_state
from taskcopilot.store.transaction import Emitted, Tx

__all__ = ["Broadcaster", "Published", "Publisher", "publish"]

KEEP: Final = 10_000
"""Documents of each kind that a service keeps: those that changed last."""

_LOOK_EVERY: Final = 64
"""Events between two looks for documents beyond that: it costs an index scan."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where an event went. `seq` is None for a passing one."""

    seq: int | None
    topic: str
    rooms: tuple[str, ...]


def publish(tx: Tx, service: Service, name: str, event: ServiceEvent, by: str | None = None) -> Published:
    """Fold an event into the state and log it, inside the unit; raises ConflictError when a fold refuses it.

    `by` is the mark of the connection that published it, and does not get it back; see `Service.mark`.
    """
    stamped = _stamped(event, tx.at)
    if stamped.passing:
        tx.pass_on(_emitted(service, name, stamped, by))
        return Published(None, stamped.topic(), stamped.rooms())
    seq = event_log.next_seq(tx)
    for kind, identifier, fold in stamped.documents():
        document = fold(service_state.find(tx, service.name, kind, identifier) or {}, stamped)
        if document is None:
            service_state.remove(tx, service.name, kind, identifier)
        else:
            service_state.save(tx, service.name, kind, identifier, document, seq=seq)
            if seq % _LOOK_EVERY == 0:
                service_state.prune(tx, service.name, kind, KEEP)
    tx.announce(_emitted(service, name, stamped, by))
    return Published(seq, stamped.topic(), stamped.rooms())


class Publisher:
    """Publishes events of any service in this process. May be called by any number of tasks at once."""

    def __init__(self, recorder: Recorder, bus: Bus, clock: Clock) -> None:
        self._recorder = recorder
        self._bus = bus
        self._clock = clock

    async def publish(self, service: Service, name: str, data: Mapping[str, Any]) -> Published:
        """Check an event and publish it; it was handed to every live client when this returns.

        Raises NotFoundError for an unknown event, InvalidArgumentError that names the field, ConflictError when the
        state does not allow it, and what the recorder raises; then nothing was changed.
        """
        return await self.send(service, name, service.read(name, data))

    async def send(self, service: Service, name: str, event: ServiceEvent, by: str | None = None) -> Published:
        """Publish an event that was checked, for the connection with the mark `by`; otherwise as `publish`."""
        if not event.passing:
            return await self._recorder.record(partial(_record, service, name, event, by))
        at = iso(self._clock.now())
        stamped = _stamped(event, at)
        self._bus.pass_on([Event(0, at, *_emitted(service, name, stamped, by))])
        return Published(None, stamped.topic(), stamped.rooms())


class Broadcaster:
    """Base of the typed `broadcast_*` methods of a service."""

    service: ClassVar[Service]

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def _broadcast(self, kind: type[ServiceEvent], /, **data: Any) -> None:
        """Publish an event of a kind whose name is no glob."""
        await self._publisher.send(self.service, kind.event, parse(kind, data))


def _record(service: Service, name: str, event: ServiceEvent, by: str | None, tx: Tx) -> Published:
    return publish(tx, service, name, event, by)


def _stamped(event: ServiceEvent, at: str) -> ServiceEvent:
    return event if event.timestamp is not None else event.model_copy(update={"timestamp": at})


def _emitted(service: Service, name: str, event: ServiceEvent, by: str | None) -> Emitted:
    """Return what is delivered; raises InvalidArgumentError when an id makes a room that nobody could be in."""
    rooms = event.rooms()
    for room in rooms:
        if not service.has_room(room):
            raise InvalidArgumentError(f"{name}: {room[:300]!r} is no channel of {service.name}", field="rooms")
    addresses = (*map(service.address, rooms), *(() if by is None else (by,)))
    return Emitted(event.topic(), f"{service.name}.{name}", event.model_dump_json().encode(), addresses)
