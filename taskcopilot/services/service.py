"""What a service is: the declaration that the room protocol, the tools, HTTP and the documentation are fed from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, WithJsonSchema

from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.json_values import refuse_unstorable
from taskcopilot.model import refusal
from taskcopilot.services.event import ServiceEvent, fields_of
from taskcopilot.services.state import State
from taskcopilot.topics import declare_entities, glob_match

__all__ = ["Arguments", "EventName", "Relay", "Request", "Service", "parse"]

MAX_ROOM_LENGTH: Final = 256

_EVENT_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What goes on the wire as it is, also for families of events whose names are the publisher's."""

EventName = Annotated[
    str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._-]+$"})
]
"""The name of an event as schemas describe it; `Service.read` holds it to that."""


class Arguments(BaseModel):
    """Base of what requests take. Unknown members are passed over: clients of several versions are about."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is answered from the state; `answer` runs on one snapshot and may raise NotFoundError."""

    event: str
    arguments: type[Arguments]
    answer: Callable[[State, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Relay:
    """An event that clients themselves may publish, for the others in its rooms; they do not get it back."""

    event: type[ServiceEvent]
    every: float = 0.0
    """Seconds between two of one client about one thing; what comes faster is passed over."""
    per: str = ""
    """What the seconds count for beside client and rooms, a template such as `{user_id}`."""
    undone_by: Callable[[Any], ServiceEvent] | None = None
    """What is published for a client that published this and then went away."""
    undoes: type[ServiceEvent] | None = None
    """The event that this one takes back: what a client took back itself is not undone for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. Declaring it makes its topics known to the main bus."""

    name: str
    port: int
    greeting: str
    """`data.message` of the welcome."""
    channels: tuple[str, ...]
    """Templates of the rooms that clients may be in."""
    events: tuple[type[ServiceEvent], ...]
    requests: tuple[Request, ...] = ()
    relays: tuple[Relay, ...] = ()
    welcome: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the welcome's data."""
    protocol: Literal["rooms", "skills"] = "rooms"
    """What its clients speak: the protocol of rooms and channels, or that of the live metrics of skills."""

    def __post_init__(self) -> None:
        """Let the main bus know what the events are about."""
        declare_entities(self.entities)

    @property
    def entities(self) -> frozenset[str]:
        """What the events are about: the first parts of their topics."""
        return frozenset(event.about.partition(":")[0] for event in self.events)

    def has_room(self, room: str) -> bool:
        """Tell whether a name is that of a room: a channel's, with an id where the channel has one."""
        if len(room) > MAX_ROOM_LENGTH or not room.isprintable():
            return False
        return any(_is_of(room, channel) for channel in self.channels)

    def address(self, room: str) -> str:
        """Return the name of a room among the rooms of all services."""
        return f"{self.name}/{room}"

    def mark(self, connection: str) -> str:
        """Return what stands last among the rooms of events that a connection published. No room has such a name."""
        return f"{self.name}/~{connection}"

    def request(self, event: str) -> Request | None:
        """Return the request of that name."""
        return next((request for request in self.requests if request.event == event), None)

    def relay(self, event: str) -> Relay | None:
        """Return what clients may publish under that name."""
        return next((relay for relay in self.relays if relay.event.event == event), None)

    def kind_of(self, event: str) -> type[ServiceEvent]:
        """Return the payload of an event; raises NotFoundError for one that the service does not have."""
        for kind in self.events:
            if kind.event == event or ("*" in kind.event and glob_match(kind.event, event)):
                return kind
        raise NotFoundError(f"{self.name} has no event {event!r}", field="event")

    def read(self, event: str, data: Mapping[str, Any]) -> ServiceEvent:
        """Check an event's payload; raises NotFoundError and InvalidArgumentError that names the field."""
        if not _EVENT_NAME.fullmatch(event):
            raise InvalidArgumentError("event: expected letters, digits, `.`, `_` and `-`, at most 128", field="event")
        payload: ServiceEvent = parse(self.kind_of(event), data)
        return payload


def parse(model: type[Any], data: Mapping[str, Any]) -> Any:
    """Build a model from JSON values; raises InvalidArgumentError that names the field."""
    refuse_unstorable(data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise refusal(error) from None


def _is_of(room: str, channel: str) -> bool:
    if not fields_of(channel):
        return room == channel
    prefix = channel.partition("{")[0]
    return room.startswith(prefix) and len(room) > len(prefix)
