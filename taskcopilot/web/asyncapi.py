"""The description of the socket, AsyncAPI 3, made from the models of the events and the messages' schemas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from taskcopilot import __version__
from taskcopilot.bridge.schemas import EXAMPLES, FROM_CLIENT, FROM_SERVER, envelope
from taskcopilot.web.event_models import schemas, type_schema

__all__ = ["describe"]

_CHANNEL: Final = "socket"
_DESCRIPTION: Final = (
    "Events of tasks, streams, agents and services, over one WebSocket. docs/protocol.md has the promises; the sockets "
    "of services (/ws/{service}), which speak the room protocol, are described by docs/services.md alone."
)
_SCHEMAS: Final = "#/components/schemas/{model}"


def describe(host: str, *, secure: bool = False) -> dict[str, Any]:
    """Return the description of the socket of a bridge at `name:port`, over TLS where it is secure."""
    data, definitions = schemas(_SCHEMAS)
    sent = {f"server.{name}": _message(name, schema) for name, schema in FROM_SERVER.items()}
    events = {
        f"event.{name.replace('*', 'any')}": _message(name, envelope(type_schema(name), schema))
        for name, schema in data.items()
    }
    received = {
        f"client.{name}": _message(name, schema) | {"examples": [{"payload": each} for each in EXAMPLES[name]]}
        for name, schema in FROM_CLIENT.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Task Copilot Bridge",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"bridge": {"host": host, "protocol": "wss" if secure else "ws"}},
        "channels": {
            _CHANNEL: {
                "address": "/ws",
                "messages": {name: _in_components(name) for name in (*received, *sent, *events)},
            }
        },
        "operations": {
            "listen": _operation("receive", "What a client may say.", received),
            "tell": _operation("send", "What the server answers and delivers.", (*sent, *events)),
        },
        "components": {"messages": received | sent | events, "schemas": definitions},
    }


def _message(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "payload": schema}


def _in_components(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}


def _operation(action: str, summary: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "messages": [{"$ref": f"#/channels/{_CHANNEL}/messages/{name}"} for name in names],
    }
