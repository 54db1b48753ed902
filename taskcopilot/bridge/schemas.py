"""JSON schemas of the messages of `/ws`: the shapes that `protocol.py` and `options.py` read and write.

Normative text: docs/protocol.md. Limits are those of the code that reads; tests compare both at random, and check
every message that a socket carries.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

from taskcopilot.bridge.cursor import CURSOR
from taskcopilot.bridge.options import (
    CONFLATABLE,
    MAX_BATCH_EVENTS,
    MAX_BATCH_MS,
    MAX_LAST,
    MAX_TYPE_LENGTH,
    MAX_TYPES,
    STARTS,
)
from taskcopilot.bridge.protocol import ErrorCode
from taskcopilot.topics import MAX_PATTERN_LENGTH

__all__ = ["EXAMPLES", "FROM_CLIENT", "FROM_SERVER", "envelope"]

Schema = dict[str, Any]

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_ANY: Final[Schema] = {"description": "Any JSON value; the answer to a request echoes it."}


_CLOSED: Final[Schema] = {"additionalProperties": False}


def _number(most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any) -> Schema:
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required)} | more


def _from_client(kind: str, payload: Schema | None) -> Schema:
    required: Schema = {"type": {"const": kind}}
    if payload is not None:
        required["payload"] = payload
    return _object(required, {"id": _ANY, "timestamp": {}})


def _from_server(kind: str, payload: Schema, *, answers: bool = False) -> Schema:
    required = {"type": {"const": kind}, "timestamp": _TIME, "payload": payload}
    return _object(required, {"id": _ANY} if answers else None, **_CLOSED)


def _list(items: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": items, "minItems": 1} | ({} if most is None else {"maxItems": most})


_PATTERN: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_LENGTH}
_TOPICS: Final = _list(_PATTERN)
_GAP: Final = _object({"from": _COUNT, "to": _COUNT}, **_CLOSED)
_NAMES: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_BARE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_CURSOR: Final[Schema] = {"anyOf": [_BARE, {"type": "string", "pattern": f"^{CURSOR.pattern}$"}]}

_TYPES: Final = _list({"type": "string", "minLength": 1, "maxLength": MAX_TYPE_LENGTH}, MAX_TYPES)
_BATCH: Final = _object({"maxMs": _number(MAX_BATCH_MS)}, {"maxEvents": _number(MAX_BATCH_EVENTS)}, **_CLOSED)

_OPTIONS: Final[Schema] = {
    "since": _CURSOR,
    "last": _number(MAX_LAST),
    "snapshot": {"const": True},
    "filter": _object({"eventTypes": _TYPES}, **_CLOSED),
    "batch": _BATCH,
    "conflate": {"type": "array", "items": {"enum": sorted(CONFLATABLE)}},
}
_ONE_START: Final[Schema] = {"not": {"anyOf": [{"required": list(pair)} for pair in combinations(STARTS, 2)]}}

FROM_CLIENT: Final[dict[str, Schema]] = {
    "subscribe": _from_client("subscribe", _object({"topics": _TOPICS}, _OPTIONS, **_ONE_START)),
    "unsubscribe": _from_client("unsubscribe", _object({"topics": _TOPICS})),
    "ping": _from_client("ping", None),
    "pong": _from_client("pong", None),
    "auth": _from_client("auth", _object({"token": {"type": "string"}})),
}
"""What a client may say, by type. An option that is null or false counts as absent, which is not in here."""

_BATCHED: Final = {"batch": {"maxMs": 200, "maxEvents": 100}, "conflate": ["stream.progress"]}

EXAMPLES: Final[dict[str, list[Schema]]] = {
    "subscribe": [
        {"type": "subscribe", "id": "all", "payload": {"topics": ["*"]}},
        {"type": "subscribe", "id": 1, "payload": {"topics": ["task:*", "stream:Stream-A"], "since": 0}},
        {"type": "subscribe", "id": 2, "payload": {"topics": ["task:*"], "since": "an-older-log:41"}},
        {"type": "subscribe", "id": 3, "payload": {"topics": ["agent:*"], "last": 10}},
        {"type": "subscribe", "id": 4, "payload": {"topics": ["stream:*"], "snapshot": True}},
        {"type": "subscribe", "payload": {"topics": ["task:*"], "filter": {"eventTypes": ["task.completed"]}}},
        {"type": "subscribe", "id": 5, "payload": {"topics": ["stream:*"], **_BATCHED}},
    ],
    "unsubscribe": [{"type": "unsubscribe", "id": 6, "payload": {"topics": ["agent:*"]}}],
    "ping": [{"type": "ping", "id": 7}],
    "pong": [{"type": "pong"}],
    "auth": [{"type": "auth", "id": 8, "payload": {"token": "tcb_…"}}],
}
"""What a client says, in an order in which one connection can say all of it."""

FROM_SERVER: Final[dict[str, Schema]] = {
    "subscribed": _from_server(
        "subscribed",
        _object(
            {
                "topics": {"type": "array", "items": _PATTERN},
                "activeSubscriptions": _COUNT,
                "epoch": {"type": "string"},
                "seq": _COUNT,
            },
            {"recovered": {"type": "boolean"}, "gap": _GAP},
            **_CLOSED,
        ),
        answers=True,
    ),
    "error": _from_server(
        "error",
        _object(
            {"code": {"enum": [str(code) for code in ErrorCode]}, "message": {"type": "string"}},
            {"field": {"type": "string"}},
            **_CLOSED,
        ),
        answers=True,
    ),
    "ping": _from_server("ping", _object({"seq": _COUNT}, **_CLOSED)),
    "pong": _from_server("pong", _object({}, **_CLOSED), answers=True),
    "authenticated": _from_server(
        "authenticated",
        _object({"scopes": _NAMES, "topics": _NAMES, "expiresAt": _TIME_OR_NULL}, **_CLOSED),
        answers=True,
    ),
    "auth_expiring": _from_server(
        "auth_expiring",
        _object({"reason": {"enum": ["expires", "revoked"]}, "expiresAt": _TIME_OR_NULL}, **_CLOSED),
    ),
    "gap": _from_server("gap", _GAP),
    "snapshot": _from_server(
        "snapshot",
        _object(
            {
                "seq": _COUNT,
                "streams": {"type": "array", "items": {"type": "object"}},
                "tasks": {"type": "array", "items": {"type": "object"}},
            },
            **_CLOSED,
        ),
    ),
    "batch": _from_server(
        "batch",
        _object({"events": _list({"type": "object", "properties": {"type": {"const": "event"}}})}),
    ),
}
"""What the server says, by type; `event` apart, whose schema depends on the event."""


def envelope(event_type: Schema, data: Schema) -> Schema:
    """Return the schema of the message that carries an event of this type, with this data."""
    payload = _object({"topic": {"type": "string"}, "eventType": event_type, "data": data}, **_CLOSED)
    required = {"type": {"const": "event"}, "timestamp": _TIME, "seq": _COUNT, "payload": payload}
    return _object(required, {"replayed": {"const": True}}, **_CLOSED)
