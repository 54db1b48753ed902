"""The wire messages of `/ws`, as values: reading what a client says, writing what the server says.

Normative text: docs/protocol.md. Nothing here knows of sockets or of other clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final

import orjson

from taskcopilot.bridge import options
from taskcopilot.bridge.cursor import Cursor, Gap
from taskcopilot.bridge.options import Batch
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.events import Event

__all__ = [
    "ABSENT",
    "Authenticate",
    "CloseCode",
    "ErrorCode",
    "Ping",
    "Pong",
    "ProtocolError",
    "Request",
    "Subscribe",
    "Unsubscribe",
    "encode_authenticated",
    "encode_error",
    "encode_event",
    "encode_expiring",
    "encode_gap",
    "encode_ping",
    "encode_pong",
    "encode_snapshot",
    "encode_subscribed",
    "parse",
]


class ErrorCode(StrEnum):
    """What a client did wrong; the triggers are in the table of docs/protocol.md."""

    INVALID_MESSAGE = "WS_INVALID_MESSAGE"
    UNKNOWN_TYPE = "WS_UNKNOWN_TYPE"
    INVALID_TOPIC = "WS_INVALID_TOPIC"
    SUBSCRIPTION_LIMIT = "WS_SUBSCRIPTION_LIMIT"
    NOT_SUBSCRIBED = "WS_NOT_SUBSCRIBED"
    RATE_LIMIT = "WS_RATE_LIMIT"
    UNAUTHORIZED = "WS_UNAUTHORIZED"
    FORBIDDEN = "WS_FORBIDDEN"


class CloseCode(IntEnum):
    """Why the server ends a connection. Codes from 4000 to 4499 say: come back."""

    GOING_AWAY = 1001
    TOKEN_ENDED = 4401
    NOT_HEARD = 4408
    TOO_FAST = 4429


ABSENT: Final = object()
"""The id of a request that carried none: null is an id like any other."""


class ProtocolError(Exception):
    """A message that cannot be granted; becomes an `error` message, and the connection stays open."""

    def __init__(self, code: ErrorCode, message: str, *, request_id: Any = ABSENT, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.field = field


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A wish for events; `topics` are as the client wrote them, not yet checked against the grammar."""

    request_id: Any
    topics: list[str]
    since: Cursor | None = None
    last: int | None = None
    types: frozenset[str] | None = None
    snapshot: bool = False
    batch: Batch | None = None
    conflate: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """An end to that wish."""

    request_id: Any
    topics: list[str]


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong."""

    request_id: Any


@dataclass(frozen=True, slots=True)
class Pong:
    """The client answers our ping."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The client shows a token: its first, or a fresh one."""

    request_id: Any
    token: str


Request = Subscribe | Unsubscribe | Ping | Pong | Authenticate


def parse(frame: str | bytes) -> Request:
    """Read one message; raises ProtocolError with the code that the table assigns to its fault."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(ErrorCode.INVALID_MESSAGE, f"Invalid message format: {error}") from None
    if message is None:
        raise ProtocolError(ErrorCode.INVALID_MESSAGE, "Invalid message format: null")
    if not isinstance(message, dict):
        raise ProtocolError(ErrorCode.UNKNOWN_TYPE, "Unknown message type: undefined")
    request_id = _request_id(message)
    match message.get("type"):
        case "subscribe":
            payload = _payload(message, request_id)
            try:
                return Subscribe(request_id, _topics(payload, request_id), **options.read(payload))
            except InvalidArgumentError as error:
                raise _bad_option(error, request_id) from None
        case "unsubscribe":
            return Unsubscribe(request_id, _topics(_payload(message, request_id), request_id))
        case "ping":
            return Ping(request_id)
        case "pong":
            return Pong()
        case "auth":
            return Authenticate(request_id, _token(_payload(message, request_id), request_id))
        case unknown:
            shown = str(unknown)[:64] if "type" in message else "undefined"
            raise ProtocolError(ErrorCode.UNKNOWN_TYPE, f"Unknown message type: {shown}", request_id=request_id)


def _request_id(message: dict[str, Any]) -> Any:
    """Return the id, once it is sure that it can be echoed: what is nested deeper than we can write is refused."""
    request_id = message.get("id", ABSENT)
    if request_id is not ABSENT:
        try:
            orjson.dumps(request_id)
        except orjson.JSONEncodeError:
            raise ProtocolError(ErrorCode.INVALID_MESSAGE, "Invalid message format: id", field="id") from None
    return request_id


def _payload(message: dict[str, Any], request_id: Any) -> dict[str, Any]:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise ProtocolError(
            ErrorCode.INVALID_MESSAGE,
            "Invalid message format: payload must be an object",
            request_id=request_id,
            field="payload",
        )
    return payload


def _topics(payload: dict[str, Any], request_id: Any) -> list[str]:
    topics = payload.get("topics")
    if not isinstance(topics, list) or not topics:
        raise ProtocolError(
            ErrorCode.INVALID_TOPIC, "Topics must be a non-empty array", request_id=request_id, field="topics"
        )
    for index, topic in enumerate(topics):
        if not isinstance(topic, str):
            raise ProtocolError(
                ErrorCode.INVALID_MESSAGE,
                "Invalid message format: a topic must be a string",
                request_id=request_id,
                field=f"topics.{index}",
            )
    return topics


def _token(payload: dict[str, Any], request_id: Any) -> str:
    token = payload.get("token")
    if not isinstance(token, str):
        raise ProtocolError(
            ErrorCode.INVALID_MESSAGE,
            "Invalid message format: token must be a string",
            request_id=request_id,
            field="token",
        )
    return token


def _bad_option(error: InvalidArgumentError, request_id: Any) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_MESSAGE,
        f"Invalid message format: {error.message}",
        request_id=request_id,
        field=error.field,
    )


def encode_event(event: Event, *, replayed: bool = False) -> bytes:
    """Return the envelope of an event, for socket and HTTP alike; the payload is spliced in, not encoded again."""
    return b'{"type":"event","timestamp":"%b","seq":%d,%b"payload":{"topic":%b,"eventType":"%b","data":%b}}' % (
        event.at.encode(),
        event.seq,
        b'"replayed":true,' if replayed else b"",
        orjson.dumps(event.topic),
        event.type.encode(),
        event.data,
    )


def encode_subscribed(
    request_id: Any,
    at: str,
    *,
    topics: list[str],
    active: int,
    epoch: str,
    head: int,
    recovered: bool | None = None,
    gap: Gap | None = None,
) -> bytes:
    """Return the answer to subscribe and to unsubscribe."""
    payload: dict[str, Any] = {"topics": topics, "activeSubscriptions": active, "epoch": epoch, "seq": head}
    if recovered is not None:
        payload["recovered"] = recovered
    if gap is not None:
        payload["gap"] = gap.as_json()
    return _encode("subscribed", request_id, at, payload)


def encode_error(error: ProtocolError, at: str) -> bytes:
    """Return the message that tells a client what it did wrong."""
    payload = {"code": str(error.code), "message": error.message}
    if error.field is not None:
        payload["field"] = error.field
    return _encode("error", error.request_id, at, payload)


def encode_gap(gap: Gap, at: str) -> bytes:
    """Return the notice that a client fell behind what the log keeps."""
    return _encode("gap", ABSENT, at, gap.as_json())


def encode_snapshot(at: str, seq: int, state: bytes) -> bytes:
    """Return the state as of an event number; `state` is a JSON object with the members `streams` and `tasks`."""
    return b'{"type":"snapshot","timestamp":"%b","payload":{"seq":%d,%b}' % (at.encode(), seq, state[1:])


def encode_pong(request_id: Any, at: str) -> bytes:
    """Return the answer to a client's ping."""
    return _encode("pong", request_id, at, {})


def encode_authenticated(request_id: Any, at: str, about: dict[str, Any]) -> bytes:
    """Return the answer to a token that is good: what it permits, and until when."""
    return _encode("authenticated", request_id, at, about)


def encode_expiring(at: str, reason: str, expires_at: str | None) -> bytes:
    """Return the warning that the token ends soon; `reason` is `expires` or `revoked`."""
    return _encode("auth_expiring", ABSENT, at, {"reason": reason, "expiresAt": expires_at})


def encode_ping(at: str, seq: int) -> bytes:
    """Return the keepalive; `seq` says up to where the client has everything that matches."""
    return _encode("ping", ABSENT, at, {"seq": seq})


def _encode(kind: str, request_id: Any, at: str, payload: dict[str, Any]) -> bytes:
    head: dict[str, Any] = {"type": kind}
    if request_id is not ABSENT:
        head["id"] = request_id
    return orjson.dumps(head | {"timestamp": at, "payload": payload})
