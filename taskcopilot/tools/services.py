"""service_publish, service_status and service_rooms: the services of the ecosystem from where agents are."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from taskcopilot.services.publishing import publish
from taskcopilot.services.service import EventName, Service
from taskcopilot.services.table import SERVICES
from taskcopilot.store import service_presence
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.fields import Identifier, ToolInput, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool

__all__ = ["TOOLS", "ServicePublished", "service_publish"]


class ServicePublish(WriteInput):
    """Arguments of service_publish."""

    service: Identifier = Field(description="name of the service, such as mahavishnu")
    event: EventName = Field(description="name of the event, such as workflow.started")
    data: dict[str, Any] = Field(description="the event's payload, with the names of the wire")


class ServicePublished(ToolOutput):
    """Answer of service_publish. `seq` is null for an event that is delivered and not logged."""

    service: str
    event: str
    seq: int | None
    topic: str
    rooms: list[str]


def service_publish(tx: Tx, call: ServicePublish) -> ServicePublished:
    """Publish an event of a service: it changes the service's state and goes to its rooms and to the main bus.

    The payload is checked against the event's model. What the service calls passing (cursor moves, ticks) is
    delivered to the clients of this process only, and kept nowhere.
    """
    service = SERVICES[call.service]
    published = publish(tx, service, call.event, service.read(call.event, call.data))
    return ServicePublished(
        service=service.name,
        event=call.event,
        seq=published.seq,
        topic=published.topic,
        rooms=list(published.rooms),
    )


class ServiceQuestion(ToolInput):
    """Arguments of service_status."""

    service: Identifier | None = Field(default=None, description="by default all services")


class ServiceStatus(ToolOutput):
    """How one service is. It is healthy while a process of this workspace serves it."""

    service: str
    status: Literal["healthy", "stopped"]
    host: str | None
    port: int | None = Field(description="null when it is served at /ws/{service} on the main port only")
    pid: int | None
    connections: int
    rooms: int
    channels: list[str]


class ServiceStatuses(ToolOutput):
    """Answer of service_status."""

    services: list[ServiceStatus]


def service_status(tx: ReadTx, call: ServiceQuestion) -> ServiceStatuses:
    """Tell of each service whether it is served, where, and how many connections and rooms it has.

    The numbers are a second old at most.
    """
    asked = list(SERVICES) if call.service is None else [SERVICES[call.service]]
    return ServiceStatuses(services=[_status(tx, service) for service in asked])


def _status(tx: ReadTx, service: Service) -> ServiceStatus:
    found = service_presence.find(tx, service.name)
    return ServiceStatus(
        service=service.name,
        status="stopped" if found is None else "healthy",
        host=found.host if found else None,
        port=found.port if found else None,
        pid=found.pid if found else None,
        connections=found.connections if found else 0,
        rooms=len(found.rooms) if found else 0,
        channels=list(service.channels),
    )


class ServiceRoomsQuestion(ToolInput):
    """Arguments of service_rooms."""

    service: Identifier


class ServiceRooms(ToolOutput):
    """Answer of service_rooms: the rooms that somebody is in, and how many connections are."""

    service: str
    rooms: dict[str, int]
    total_rooms: int


def service_rooms(tx: ReadTx, call: ServiceRoomsQuestion) -> ServiceRooms:
    """List the rooms of a service that somebody is in, with their connections; a second old at most."""
    found = service_presence.find(tx, SERVICES[call.service].name)
    rooms = dict(found.rooms) if found else {}
    return ServiceRooms(service=call.service, rooms=rooms, total_rooms=len(rooms))


TOOLS: Final = (
    Tool(name="service_publish", input=ServicePublish, output=ServicePublished, run=service_publish, writes=True),
    Tool(name="service_status", input=ServiceQuestion, output=ServiceStatuses, run=service_status),
    Tool(name="service_rooms", input=ServiceRoomsQuestion, output=ServiceRooms, run=service_rooms),
)
