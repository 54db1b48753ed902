"""session-buddy: sessions that several assistants share, their checkpoints, and the knowledge that they capture.

Every event goes to `global`, too. Its live metrics of skills are a service of their own (session_metrics).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "SessionBuddy"]

MAX_KEPT: Final = 100
"""Checkpoints and pieces of knowledge that are kept of one session: the newest of each; all are counted."""

MAX_MEMBERS: Final = 500
"""Members of a session's context that are kept: those that were set last."""

_SESSION: Final = "session:{session_id}"
_KNOWLEDGE: Final = "knowledge:{session_id}"
_CHECKPOINT: Final = "checkpoint:{session_id}"


def _known(state: Document, event: _SessionEvent | _OpenSessionEvent) -> Document:
    """Return the session so far: one that was never said to be created began with the first event about it."""
    begun: Document = {"session_id": event.session_id, "status": "active", "created_at": event.timestamp, "context": {}}
    nothing = {"checkpoints": [], "checkpoint_count": 0, "knowledge": [], "knowledge_count": 0}
    return begun | nothing | state | {"updated_at": event.timestamp}


def _changed(state: Document, event: _SessionEvent | _OpenSessionEvent, changes: JsonObject) -> Document:
    """Set members of the context; one that is set again counts as set last."""
    session = _known(state, event)
    kept = {name: value for name, value in session["context"].items() if name not in changes}
    members = list((kept | changes).items())
    return session | {"context": dict(members[-MAX_MEMBERS:])}


def _created(state: Document, event: SessionCreated) -> Document:
    """Begin anew: a session that is created again has no past."""
    del state
    return _changed({}, event, event.context)


def _updated(state: Document, event: SessionUpdated) -> Document:
    return _changed(state, event, event.changes)


def _updated_freely(state: Document, event: SessionUpdate) -> Document:
    return _changed(state, event, dict(event.added()))


def _checkpointed(state: Document, event: SessionCheckpoint) -> Document:
    checkpoint = {**event.added(), "checkpoint_id": event.checkpoint_id, "created_at": event.timestamp}
    return _kept(_known(state, event), "checkpoints", "checkpoint_count", checkpoint)


def _captured(state: Document, event: KnowledgeCaptured) -> Document:
    piece = {**event.added(), "knowledge_id": event.knowledge_id, "type": event.type, "captured_at": event.timestamp}
    return _kept(_known(state, event), "knowledge", "knowledge_count", piece)


def _kept(session: Document, name: str, counter: str, item: JsonObject) -> Document:
    return session | {name: [*session[name], item][-MAX_KEPT:], counter: session[counter] + 1}


def _closed(state: Document, event: SessionClosed) -> Document:
    return _known(state, event) | {"status": "closed", "closed_at": event.timestamp}


class _SessionEvent(ServiceEvent):
    about = _SESSION
    goes_to: ClassVar[tuple[str, ...]] = (_SESSION, "global")
    session_id: Identifier


class _OpenSessionEvent(OpenEvent):
    about = _SESSION
    goes_to: ClassVar[tuple[str, ...]] = (_SESSION, "global")
    session_id: Identifier


class SessionCreated(_SessionEvent):
    """A session began; its context belongs to the publisher."""

    event = "session.created"
    folds = ((_SESSION, _created),)
    context: JsonObject


class SessionUpdated(_SessionEvent):
    """Members of a session's context changed."""

    event = "session.updated"
    folds = ((_SESSION, _updated),)
    changes: JsonObject


class SessionUpdate(_OpenSessionEvent):
    """The same in the form of the first documents: the changes are the data itself."""

    event = "session_update"
    folds = ((_SESSION, _updated_freely),)


class SessionCheckpoint(_OpenSessionEvent):
    """A checkpoint of a session was taken."""

    event = "session.checkpoint"
    goes_to = (_CHECKPOINT, _SESSION, "global")
    folds = ((_SESSION, _checkpointed),)
    checkpoint_id: Identifier


class SessionClosed(_SessionEvent):
    """A session is over."""

    event = "session.closed"
    folds = ((_SESSION, _closed),)


class KnowledgeCaptured(_OpenSessionEvent):
    """A session learned something."""

    event = "knowledge.captured"
    about = _KNOWLEDGE
    goes_to = (_KNOWLEDGE, _SESSION, "global")
    folds = ((_SESSION, _captured),)
    knowledge_id: Identifier
    type: Identifier


class KnowledgeSearchResult(_SessionEvent):
    """A session looked for knowledge. Logged, and in no answer."""

    event = "knowledge.search_result"
    about = _KNOWLEDGE
    goes_to = (_KNOWLEDGE, _SESSION, "global")
    query: str
    results: list[JsonObject]


class _WhichSession(Arguments):
    session_id: Identifier


def _session(state: State, asked: _WhichSession) -> dict[str, Any]:
    return state.require("session", asked.session_id)


SERVICE: Final = Service(
    name="session-buddy",
    port=8688,
    greeting="Connected to Session-Buddy sessions",
    channels=(_SESSION, _KNOWLEDGE, _CHECKPOINT, "global"),
    events=(
        SessionCreated,
        SessionUpdated,
        SessionUpdate,
        SessionCheckpoint,
        SessionClosed,
        KnowledgeCaptured,
        KnowledgeSearchResult,
    ),
    requests=(Request("get_session", _WhichSession, _session),),
)


class SessionBuddy(Broadcaster):
    """The broadcasts of session-buddy. A named argument wins over what is added."""

    service = SERVICE

    async def broadcast_session_created(self, session_id: str, context: JsonObject) -> None:
        """Say that a session began."""
        await self._broadcast(SessionCreated, session_id=session_id, context=context)

    async def broadcast_session_updated(self, session_id: str, changes: JsonObject) -> None:
        """Say what changed in the context of a session."""
        await self._broadcast(SessionUpdated, session_id=session_id, changes=changes)

    async def broadcast_session_update(self, session_id: str, update: JsonObject) -> None:
        """Say the same as the event `session_update`, whose data are the changes."""
        await self._broadcast(SessionUpdate, **{**update, "session_id": session_id})

    async def broadcast_session_checkpoint(self, session_id: str, checkpoint_id: str, metadata: JsonObject) -> None:
        """Say that a checkpoint of a session was taken."""
        named = {"session_id": session_id, "checkpoint_id": checkpoint_id}
        await self._broadcast(SessionCheckpoint, **{**metadata, **named})

    async def broadcast_session_closed(self, session_id: str) -> None:
        """Say that a session is over."""
        await self._broadcast(SessionClosed, session_id=session_id)

    async def broadcast_knowledge_captured(
        self,
        session_id: str,
        knowledge_id: str,
        type: str,  # noqa: A002 - the name on the wire
        metadata: JsonObject,
    ) -> None:
        """Say that a session learned something."""
        named = {"session_id": session_id, "knowledge_id": knowledge_id, "type": type}
        await self._broadcast(KnowledgeCaptured, **{**metadata, **named})

    async def broadcast_knowledge_search_result(self, session_id: str, query: str, results: list[JsonObject]) -> None:
        """Say what a session found."""
        await self._broadcast(KnowledgeSearchResult, session_id=session_id, query=query, results=results)
