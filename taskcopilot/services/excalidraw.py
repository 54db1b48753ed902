"""excalidraw: diagrams that several draw at once, their cursors, and who is there.

A diagram has a version, which grows by every change of it. Who changes it says which version the change makes, and is
refused with the current one when somebody else was quicker; so of two changes of one version one wins, and the other
is made again on top of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from taskcopilot.errors import ConflictError
from taskcopilot.model import Omittable
from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent, merged
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Relay, Request, Service
from taskcopilot.services.state import State

__all__ = ["CURSOR_PAUSE", "SERVICE", "Excalidraw"]

CURSOR_PAUSE: Final = 0.05
"""Seconds between two moves of one user's cursor; those between are passed over."""

_DIAGRAM: Final = "diagram:{diagram_id}"
_CURSOR: Final = "cursor:{diagram_id}"
_PRESENCE: Final = "presence:{diagram_id}"
Version = Annotated[int, Field(ge=1, le=2**53)]


def _next_version(state: Document, event: DiagramEvent) -> int:
    """Return the version that a change makes; without one of its own it comes after whatever there is."""
    current: int = state.get("version", 0)
    if event.version is not None and event.version <= current:
        raise ConflictError(f"diagram {event.diagram_id} is at version {current}", version=current)
    return event.version or current + 1


def _created(state: Document, event: DiagramCreated) -> Document:
    """Begin anew, with a version of its own: what was drawn before is gone."""
    return _drawn(state, event, before={}, created_at=event.timestamp)


def _updated(state: Document, event: DiagramUpdated) -> Document:
    """Take over what the update says of the diagram, member by member."""
    return _drawn(state, event, before=state, created_at=state.get("created_at"))


def _drawn(state: Document, event: DiagramEvent, *, before: Document, created_at: str | None) -> Document:
    about = {"diagram_id": event.diagram_id, "version": _next_version(state, event)}
    return {**merged(before, event.added()), **about, "created_at": created_at, "updated_at": event.timestamp}


def _joined(state: Document, event: UserJoined) -> Document:
    """Keep who is there, the newest last."""
    user = {"user_id": event.user_id, "user_info": event.user_info, "joined_at": event.timestamp}
    others = {name: of for name, of in state.get("users", {}).items() if name != event.user_id}
    return {"users": merged(others, {event.user_id: user})}


def _left(state: Document, event: UserLeft) -> Document | None:
    """Forget the user, and with the last one that anybody was there."""
    users = {name: of for name, of in state.get("users", {}).items() if name != event.user_id}
    return {"users": users} if users else None


class DiagramEvent(OpenEvent):
    """A diagram as it is from a version on: `title`, `elements`, and whatever else the publisher says of it."""

    about = _DIAGRAM
    goes_to = (_DIAGRAM, "global")
    diagram_id: Identifier
    version: Omittable[Version]


class DiagramCreated(DiagramEvent):
    """There is a new diagram."""

    event = "diagram.created"
    folds = ((_DIAGRAM, _created),)


class DiagramUpdated(DiagramEvent):
    """A diagram was changed."""

    event = "diagram.updated"
    folds = ((_DIAGRAM, _updated),)


class Position(BaseModel):
    """A point of the drawing, and whatever else the publisher says of it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    x: int | float
    y: int | float


class CursorMoved(ServiceEvent):
    """A user points somewhere. Delivered, and not logged."""

    event = "cursor.moved"
    about = _CURSOR
    goes_to = (_CURSOR,)
    passing = True
    diagram_id: Identifier
    user_id: Identifier
    position: Position


class _Presence(ServiceEvent):
    about = _PRESENCE
    goes_to = (_PRESENCE, "global")
    diagram_id: Identifier
    user_id: Identifier


class UserJoined(_Presence):
    """A user has a diagram open. `user_info` is theirs: `name`, `color`."""

    event = "user.joined"
    folds = ((_PRESENCE, _joined),)
    user_info: JsonObject


class UserLeft(_Presence):
    """A user has it open no longer, or the connection that said so is gone."""

    event = "user.left"
    folds = ((_PRESENCE, _left),)


class _WhichDiagram(Arguments):
    diagram_id: Identifier


def _status(state: State, asked: _WhichDiagram) -> dict[str, Any]:
    """Answer what is drawn and who is there; at version 0 nothing was drawn yet."""
    users = list((state.find("presence", asked.diagram_id) or {"users": {}})["users"].values())
    diagram = state.find("diagram", asked.diagram_id) if users else state.require("diagram", asked.diagram_id)
    empty = {"diagram_id": asked.diagram_id, "version": 0}
    return {"diagram_id": asked.diagram_id, "status": "found", "diagram": diagram or empty, "users": users}


def _gone(event: UserJoined) -> UserLeft:
    return UserLeft(diagram_id=event.diagram_id, user_id=event.user_id)


SERVICE: Final = Service(
    name="excalidraw",
    port=3042,
    greeting="Connected to Excalidraw collaboration",
    welcome={"tls_mode": "WS"},
    channels=(_DIAGRAM, _CURSOR, _PRESENCE, "global"),
    events=(DiagramCreated, DiagramUpdated, CursorMoved, UserJoined, UserLeft),
    requests=(Request("get_diagram_status", _WhichDiagram, _status),),
    relays=(
        Relay(DiagramUpdated),
        Relay(CursorMoved, every=CURSOR_PAUSE, per="{user_id}"),
        Relay(UserJoined, undone_by=_gone),
        Relay(UserLeft, undoes=UserJoined),
    ),
)


class Excalidraw(Broadcaster):
    """The broadcasts of excalidraw, with the signatures that its programs call."""

    service = SERVICE

    async def broadcast_diagram_created(self, diagram_id: str, metadata: JsonObject) -> None:
        """Say that there is a new diagram; raises ConflictError when its version is not a new one."""
        await self._broadcast(DiagramCreated, **{**metadata, "diagram_id": diagram_id})

    async def broadcast_diagram_updated(self, diagram_id: str, metadata: JsonObject) -> None:
        """Say how a diagram is now; raises ConflictError when its version is not a new one."""
        await self._broadcast(DiagramUpdated, **{**metadata, "diagram_id": diagram_id})

    async def broadcast_cursor_moved(self, diagram_id: str, user_id: str, position: JsonObject) -> None:
        """Say where a user points."""
        await self._broadcast(CursorMoved, diagram_id=diagram_id, user_id=user_id, position=position)

    async def broadcast_user_joined(self, diagram_id: str, user_id: str, user_info: JsonObject) -> None:
        """Say that a user came."""
        await self._broadcast(UserJoined, diagram_id=diagram_id, user_id=user_id, user_info=user_info)

    async def broadcast_user_left(self, diagram_id: str, user_id: str) -> None:
        """Say that a user went."""
        await self._broadcast(UserLeft, diagram_id=diagram_id, user_id=user_id)
