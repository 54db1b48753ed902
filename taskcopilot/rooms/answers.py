"""What the server says in the room protocol: the nine members of every message, in their order, and what we add.

Models of the ecosystem pass over members that they do not know, so `seq`, `epoch`, `status` and the like hurt nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from taskcopilot.bridge.cursor import Gap
from taskcopilot.events import Event
from taskcopilot.rooms.protocol import Reply, RoomError

__all__ = ["encode_answer", "encode_error", "encode_event", "encode_gap", "encode_notice"]


def encode_answer(message_id: str, at: str, reply: Reply, data: Mapping[str, Any], **more: Any) -> bytes:
    """Return a response, an ack or a pong; `more` are further members of the message."""
    if reply.asked_as is not None:
        more["request_correlation_id"] = reply.asked_as
    return orjson.dumps(
        _message(message_id, at, reply.kind, reply.event, data, correlation=reply.correlation_id) | more
    )


def encode_error(message_id: str, at: str, error: RoomError) -> bytes:
    """Return an error, correlated like the answer that it stands for."""
    message = _message(message_id, at, "error", None, error.data, correlation=error.reply.correlation_id)
    message |= {"error_code": str(error.code), "error_message": error.message}
    if error.reply.asked_as is not None:
        message["request_correlation_id"] = error.reply.asked_as
    return orjson.dumps(message)


def encode_notice(message_id: str, at: str, event: str, data: Mapping[str, Any], **more: Any) -> bytes:
    """Return an event of the connection itself, such as the welcome; it is in no room."""
    return orjson.dumps(_message(message_id, at, "event", event, data) | more)


def encode_gap(message_id: str, at: str, gap: Gap) -> bytes:
    """Return the notice that events are gone."""
    return encode_notice(message_id, at, "log.gap", gap.as_json())


def encode_event(event: Event, message_id: str, name: str, room: str, *, replayed: bool = False) -> bytes:
    """Return a broadcast; the payload is spliced in. A passing event has no `seq`."""
    seq = b',"seq":%d' % event.seq if event.seq else b""
    return (
        b'{"id":%b,"correlation_id":null,"type":"event","event":%b,"data":%b,"timestamp":"%b","room":%b,'
        b'"error_code":null,"error_message":null%b%b}'
        % (
            orjson.dumps(message_id),
            orjson.dumps(name),
            event.data,
            event.at.encode(),
            orjson.dumps(room),
            seq,
            b',"replayed":true' if replayed else b"",
        )
    )


def _message(
    message_id: str, at: str, kind: str, event: str | None, data: Mapping[str, Any], *, correlation: str | None = None
) -> dict[str, Any]:
    return {
        "id": message_id,
        "correlation_id": correlation,
        "type": kind,
        "event": event,
        "data": dict(data),
        "timestamp": at,
        "room": None,
        "error_code": None,
        "error_message": None,
    }
