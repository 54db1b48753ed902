"""The room protocol as a client of a service sees it: what comes, what is asked, and what is refused. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from task_copilot_client.cursor import as_seq
from task_copilot_client.errors import TaskCopilotError

__all__ = ["ChannelError", "ChannelMessage", "encode"]


class ChannelError(TaskCopilotError):
    """A service refused what was asked; nothing has changed.

    `code` is the service's (`NOT_FOUND`, `CONFLICT`, `INVALID_CHANNEL`, ...), `data` what it tells beside, such as
    `field` or the current `version`.
    """

    def __init__(self, message: str, *, code: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data: dict[str, Any] = dict(data or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """One message of a service. `seq` is None for events that are not in the log, and of servers that keep none."""

    type: str
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    room: str | None = None
    id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None
    seq: int | None = None
    epoch: str | None = None
    replayed: bool = False
    recovered: bool | None = None
    """Of an answer to a subscribe with `since`: whether all of it is still there."""
    error: ChannelError | None = None

    @classmethod
    def parse(cls, frame: str | bytes) -> ChannelMessage:
        """Read a message; raises ValueError for what is none. Members that are not known are passed over."""
        said = json.loads(frame)
        if not isinstance(said, dict) or not isinstance(said.get("type"), str):
            raise ValueError("expected an object with a type")  # noqa: TRY004 - a wrong value of the wire
        data = said.get("data")
        known = data if isinstance(data, dict) else {}
        return cls(
            type=said["type"],
            event=_text(said, "event") or "",
            data=known,
            room=_text(said, "room"),
            id=_text(said, "id"),
            correlation_id=_text(said, "correlation_id"),
            timestamp=_text(said, "timestamp"),
            seq=as_seq(said.get("seq")),
            epoch=_text(said, "epoch"),
            replayed=said.get("replayed") is True,
            recovered=said["recovered"] if isinstance(said.get("recovered"), bool) else None,
            error=_error(said, known) if said["type"] == "error" else None,
        )

    @property
    def is_answer(self) -> bool:
        """True for what answers a question of ours."""
        return self.correlation_id is not None and self.type != "event"


def encode(kind: str, message_id: str, event: str | None = None, data: Mapping[str, Any] | None = None) -> str:
    """Return a message to be sent; raises TypeError or ValueError when the data is no JSON."""
    message: dict[str, Any] = {"type": kind, "id": message_id}
    if event is not None:
        message |= {"event": event, "data": dict(data or {})}
    return json.dumps(message, allow_nan=False)


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None


def _error(said: Mapping[str, Any], data: Mapping[str, Any]) -> ChannelError:
    code = _text(said, "error_code") or _text(said, "code") or "ERROR"
    return ChannelError(_text(said, "error_message") or code, code=code, data=data)
