"""The messages of the room protocol: one request out of every dialect that clients of the ecosystem speak.

The dialects differ in where the name of the room stands (`data.channel`, `data.room`, `session_id`,
`data.component_id`), in the message's type, and in what they wait for: a response, an ack, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.json_values import refuse_unstorable

__all__ = ["Code", "Message", "Reply", "RoomError", "parse"]

_TYPES: Final = frozenset({"request", "response", "event", "error", "subscribe", "unsubscribe", "ping", "pong", "ack"})
_OWN_ROOMS: Final = {"session_id": "session:", "component_id": "component:"}
"""Members that name a thing instead of its room."""


class Code(StrEnum):
    """What was wrong with a message; the triggers are in the table of docs/services.md."""

    DECODE_ERROR = "DECODE_ERROR"
    UNKNOWN_REQUEST = "UNKNOWN_REQUEST"
    INVALID_CHANNEL = "INVALID_CHANNEL"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    AUTH_REQUIRED = "AUTH_REQUIRED"
    AUTH_FAILED = "AUTH_FAILED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    SUBSCRIPTION_LIMIT = "SUBSCRIPTION_LIMIT"
    SERVER_ERROR = "SERVER_ERROR"


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer is addressed: its type and event, and whose question it answers.

    `correlation_id` is the question's id, or else its own correlation id; `asked_as` that one when it had both.
    """

    kind: str = "response"
    event: str | None = None
    correlation_id: str | None = None
    asked_as: str | None = None


class RoomError(Exception):
    """A message that cannot be granted. `ends`: the connection is closed after the error was sent."""

    def __init__(
        self,
        code: Code,
        message: str,
        reply: Reply | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        ends: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reply = reply or Reply()
        self.data = dict(data or {})
        self.ends = ends


@dataclass(frozen=True, slots=True)
class Message:
    """What a client said, whatever its dialect.

    `verb` is subscribe, unsubscribe, ping, auth, refresh_token, request, event, or nothing for what needs no answer.
    """

    verb: str
    reply: Reply
    name: str = ""
    """The event of a request or an event."""
    rooms: tuple[str, ...] = ()
    several: bool = False
    """The rooms came as a list, `data.channels`, and so does the answer."""
    since: Cursor | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def parse(frame: str | bytes) -> Message:
    """Read one message; raises RoomError with the code that its fault has."""
    try:
        said = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise RoomError(Code.DECODE_ERROR, f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise RoomError(Code.DECODE_ERROR, "expected a JSON object")
    reply = _reply(said)
    _check_members(said, reply)
    kind, name = said.get("type"), said.get("event") or ""
    if kind is None and isinstance(said.get("token"), str):
        return Message("auth", Reply(event="auth"), data={"token": said["token"]})
    if not isinstance(kind, str) or kind not in _TYPES:
        raise RoomError(Code.DECODE_ERROR, f"type: expected one of {', '.join(sorted(_TYPES))}", reply)
    return _message(said, kind, name, reply)


def _message(said: dict[str, Any], kind: str, name: str, reply: Reply) -> Message:
    data: dict[str, Any] = said.get("data") or {}
    if kind in ("subscribe", "unsubscribe"):
        return _membership(said, data, kind, Reply("ack", kind, reply.correlation_id, reply.asked_as))
    if kind == "ping":
        return Message("ping", Reply("pong", None, reply.correlation_id, reply.asked_as))
    if kind not in ("request", "event"):
        return Message("nothing", reply)
    if not name:
        raise RoomError(Code.DECODE_ERROR, f"event: a {kind} needs one", reply)
    addressed = Reply("response" if kind == "request" else "ack", name, reply.correlation_id, reply.asked_as)
    if name in ("subscribe", "unsubscribe"):
        return _membership(said, data, name, addressed)
    if kind == "request" and name in ("auth", "refresh_token"):
        return Message(name, addressed, data=data)
    return Message(kind, addressed, name, data=data)


def _membership(said: dict[str, Any], data: dict[str, Any], verb: str, reply: Reply) -> Message:
    since = data.get("since", said.get("since"))
    try:
        cursor = None if since is None else Cursor.parse(since)
    except InvalidArgumentError as error:
        raise RoomError(Code.INVALID_ARGUMENT, error.message, reply) from None
    several = data.get("channels")
    rooms = (_room(said, data, reply),) if several is None else _several(several, reply)
    return Message(verb, reply, rooms=rooms, several=several is not None, since=cursor, data=data)


def _several(channels: Any, reply: Reply) -> tuple[str, ...]:
    if not isinstance(channels, list) or not channels or not all(isinstance(name, str) for name in channels):
        raise RoomError(Code.INVALID_CHANNEL, "channels: expected a list of names of channels", reply)
    return tuple(dict.fromkeys(channels))


def _room(said: dict[str, Any], data: dict[str, Any], reply: Reply) -> str:
    for place in (data, said):
        for name in ("channel", "room", *_OWN_ROOMS):
            found = place.get(name)
            if isinstance(found, str) and found:
                return _OWN_ROOMS.get(name, "") + found
            if found is not None and found != "":
                raise RoomError(Code.INVALID_CHANNEL, f"{name}: expected the name of a channel", reply)
    hint = "; patterns over topics are for /ws on the main port" if "payload" in said else ""
    raise RoomError(Code.INVALID_CHANNEL, f"data.channel: expected the name of a channel{hint}", reply)


def _reply(said: dict[str, Any]) -> Reply:
    own, other = (value if isinstance(value := said.get(name), str) else None for name in ("id", "correlation_id"))
    answered = other if own is None else own
    return Reply(correlation_id=answered, asked_as=other if other != answered else None)


def _check_members(said: dict[str, Any], reply: Reply) -> None:
    for name in ("id", "correlation_id", "event", "room"):
        if not isinstance(said.get(name), str | None):
            raise RoomError(Code.DECODE_ERROR, f"{name}: expected a string", reply)
    if not isinstance(said.get("data"), dict | None):
        raise RoomError(Code.DECODE_ERROR, "data: expected an object", reply)
    try:
        refuse_unstorable(said.get("data"))
    except InvalidArgumentError as error:
        raise RoomError(Code.DECODE_ERROR, f"data: {error.message}", reply) from None
