"""What an endpoint gets for an event: the body by its format, and the signature of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from taskcopilot.events import Event

__all__ = ["FORMATS", "Message", "new_secret", "write"]

_PREFIX: Final = "whsec_"
_MOST: Final = 1_900
"""Characters of a text; the shortest limit of a service is Discord's 2,000."""

_TOLD: Final = ("taskTitle", "streamName", "title", "message", "reason", "agentName")
"""Members of an event's data that say what it is about, the best first."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it is sent. The id is the same at every attempt: receivers know repetitions by it."""

    headers: Mapping[str, str]
    body: bytes


def new_secret() -> str:
    """Return a secret of 32 random bytes in the form of the specification."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def write(event: Event, epoch: str, form: str, secret: str, now: int) -> Message:
    """Return the request for an event; `now` is the second of the attempt, which is part of the signature."""
    media, body = FORMATS[form](event, epoch)
    identifier = f"msg_{epoch}_{event.seq}"
    return Message(
        {
            "content-type": media,
            "webhook-id": identifier,
            "webhook-timestamp": str(now),
            "webhook-signature": _sign(secret, identifier, now, body),
            "user-agent": "taskcopilot-webhooks",
        },
        body,
    )


def _sign(secret: str, identifier: str, now: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{identifier}.{now}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _standard(event: Event, epoch: str) -> tuple[str, bytes]:
    members = {"type": event.type, "timestamp": event.at, "topic": event.topic, "seq": event.seq, "epoch": epoch}
    return "application/json", orjson.dumps({**members, "data": orjson.Fragment(event.data)})


def _slack(event: Event, _epoch: str) -> tuple[str, bytes]:
    text = _text(event).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "application/json", orjson.dumps({"text": text})


def _discord(event: Event, _epoch: str) -> tuple[str, bytes]:
    return "application/json", orjson.dumps({"content": _text(event), "allowed_mentions": {"parse": []}})


def _ntfy(event: Event, _epoch: str) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", _text(event).encode("utf-8", "replace")


def _text(event: Event) -> str:
    """Return a line for people."""
    data: dict[str, Any] = orjson.loads(event.data)
    about = next((str(data[name]) for name in _TOLD if data.get(name)), "")
    line = f"{event.type} {event.topic}" + (f": {about}" if about else "")
    return " ".join(line.split())[:_MOST]


FORMATS: Final[Mapping[str, Callable[[Event, str], tuple[str, bytes]]]] = {
    "standard": _standard,
    "slack": _slack,
    "discord": _discord,
    "ntfy": _ntfy,
}
"""Name -> what makes media type and body of an event and the epoch of its log."""
