"""The messages of `/ws` as values: reading what the bridge says, writing what we say.

Normative text: docs/protocol.md of the bridge. Reading is lenient where an older or newer server may differ: numbers
that are none count as absent, unknown members are ignored, and unknown types become Unknown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from task_copilot_client.cursor import Cursor, Gap, as_seq

__all__ = [
    "Event",
    "Expiring",
    "MalformedError",
    "Message",
    "Missed",
    "Ping",
    "Rejected",
    "Subscribed",
    "Unknown",
    "authenticate",
    "parse",
    "pong",
    "read_event",
    "read_gap",
    "subscribe",
    "unsubscribe",
]


class MalformedError(ValueError):
    """A frame or body that is not a message of the protocol; it is reported and skipped."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: of which topic and type, its data, its number in the log, and when the server sent or committed it.

    `seq` and `cursor` are None when it comes from a server that keeps no log. `synthetic` is True when no server said
    it: the client has concluded it from two states of a resource.
    """

    topic: str
    type: str
    data: Any
    seq: int | None
    at: str | None = field(default=None, compare=False)
    epoch: str | None = field(default=None, compare=False)
    synthetic: bool = False

    @property
    def position(self) -> Cursor | None:
        """The cursor of whoever has had this event and all before it."""
        return None if self.seq is None else Cursor(self.epoch, self.seq)

    @property
    def cursor(self) -> str | None:
        """The same as text: keep it when the event is dealt with, and give it as `since` to go on behind it."""
        return None if self.seq is None else str(self.position)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A request was granted. `head` is where the log ended just then; None from a server that keeps no log."""

    request_id: Any
    head: Cursor | None
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A request was refused, whole. `request_id` is None when the server does not echo ids."""

    request_id: Any
    code: str
    message: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Ping:
    """The bridge wants to hear from us, and says up to where we have every event that we asked for."""

    seq: int | None


@dataclass(frozen=True, slots=True)
class Missed:
    """Retention was faster than us: these events are gone."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class Expiring:
    """Our token ends soon; a fresh one goes on with this conversation."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that means nothing to us."""

    type: str


Message = Event | Subscribed | Rejected | Ping | Missed | Expiring | Unknown


def parse(frame: bytes) -> Message:
    """Read one frame; raise MalformedError for what is no message at all."""
    try:
        message = json.loads(frame.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no JSON: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise MalformedError("no object with a type")
    payload = message.get("payload")
    return _read(message, payload if isinstance(payload, dict) else {})


def _read(message: dict[str, Any], payload: dict[str, Any]) -> Message:
    match message["type"]:
        case "event":
            return read_event(message)
        case "subscribed":
            return Subscribed(message.get("id"), _head(payload), read_gap(payload.get("gap")))
        case "error":
            return _rejected(message.get("id"), payload)
        case "ping":
            return Ping(as_seq(payload.get("seq")))
        case "gap" if gap := read_gap(payload):
            return Missed(gap)
        case "auth_expiring":
            return Expiring()
        case other:
            return Unknown(other)


def read_event(message: Any) -> Event:
    """Read the envelope of an event, of the socket or of `GET /api/events`; raise MalformedError if it is none."""
    match message:
        case {"payload": {"topic": str(topic), "eventType": str(kind), **payload}}:
            at = message.get("timestamp")
            return Event(
                topic, kind, payload.get("data"), as_seq(message.get("seq")), at if isinstance(at, str) else None
            )
    raise MalformedError("an event without topic or eventType")


def read_gap(value: Any) -> Gap | None:
    """Read `{"from": first, "to": last}`; None for anything else."""
    if not isinstance(value, dict):
        return None
    first, last = as_seq(value.get("from")), as_seq(value.get("to"))
    return None if first is None or last is None else Gap(first, last)


def _head(payload: dict[str, Any]) -> Cursor | None:
    seq, epoch = as_seq(payload.get("seq")), payload.get("epoch")
    return None if seq is None else Cursor(epoch if isinstance(epoch, str) else None, seq)


def _rejected(request_id: Any, payload: dict[str, Any]) -> Rejected:
    field = payload.get("field")
    return Rejected(
        request_id,
        str(payload.get("code", "UNKNOWN")),
        str(payload.get("message", "")),
        field if isinstance(field, str) else None,
    )


def subscribe(request_id: str, topics: Sequence[str], since: Cursor | None, timestamp: str) -> str:
    """Ask for events of the topics, after a cursor or from now on."""
    payload: dict[str, Any] = {"topics": list(topics)}
    if since is not None:
        payload["since"] = str(since)
    return _write("subscribe", payload, timestamp, request_id)


def unsubscribe(request_id: str, topics: Sequence[str], timestamp: str) -> str:
    """Ask for events of the topics no longer."""
    return _write("unsubscribe", {"topics": list(topics)}, timestamp, request_id)


def authenticate(request_id: str, token: str, timestamp: str) -> str:
    """Show a fresh token."""
    return _write("auth", {"token": token}, timestamp, request_id)


def pong(timestamp: str) -> str:
    """Answer a ping."""
    return _write("pong", {}, timestamp, None)


def _write(kind: str, payload: dict[str, Any], timestamp: str, request_id: str | None) -> str:
    message: dict[str, Any] = {"type": kind, "timestamp": timestamp, "payload": payload}
    if request_id is not None:
        message["id"] = request_id
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
