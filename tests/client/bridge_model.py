"""A bridge without I/O: the log and the conversations of docs/protocol.md, as small as they can be said.

The fake bridge serves it over real sockets; the property tests talk to it directly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from task_copilot_client.matching import glob_match

ENTITIES = ("stream", "task", "checkpoint", "agent")
AT = "2026-01-08T12:00:00.000Z"


@dataclass
class Log:
    """Events from 1 on; what is up to `pruned_to` is gone."""

    epoch: str = "epoch-1"
    events: list[dict[str, Any]] = field(default_factory=list)
    pruned_to: int = 0

    @property
    def head(self) -> int:
        return len(self.events)

    def publish(self, topic: str, kind: str, data: Any) -> dict[str, Any]:
        payload = {"topic": topic, "eventType": kind, "data": data}
        event = {"type": "event", "timestamp": AT, "seq": self.head + 1, "payload": payload}
        self.events.append(event)
        return event

    def after(self, seq: int) -> list[dict[str, Any]]:
        return self.events[max(seq, self.pruned_to) :]

    def locate(self, since: str) -> tuple[int, dict[str, int] | None]:
        """Return where delivery starts and what is missing (D5)."""
        epoch, _, seq = str(since).rpartition(":")
        after = int(seq)
        if (epoch and epoch != self.epoch) or after > self.head:
            return self.head, {"from": min(1, self.head), "to": self.head}
        if after < self.pruned_to:
            return self.pruned_to, {"from": after + 1, "to": self.pruned_to}
        return after, None

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Answer GET /api/events (H1, H2)."""
        after, gap = self.locate(query["since"]) if "since" in query else (self.pruned_to, None)
        patterns = query["topics"].split(",") if query.get("topics") else ["*"]
        limit = int(query.get("limit", "100"))
        found = [event for event in self.after(after) if matches(patterns, event)][: limit + 1]
        reached = self.head if len(found) <= limit else found[limit - 1]["seq"]
        answer: dict[str, Any] = {"events": found[:limit], "epoch": self.epoch, "head": self.head}
        return answer | {"next": f"{self.epoch}:{reached}"} | ({"gap": gap} if gap else {})


def matches(patterns: Any, event: dict[str, Any]) -> bool:
    return any(glob_match(pattern, event["payload"]["topic"]) for pattern in patterns)


@dataclass
class Conversation:
    """One client's. `old` makes it one of the original server: no numbers, no replay, no ids in errors."""

    log: Log
    max_patterns: int = 50
    old: bool = False
    held: dict[str, int] = field(default_factory=dict)

    def receive(self, text: str) -> list[dict[str, Any]]:
        """Take a message and return what the client gets for it, replay included."""
        message = json.loads(text)
        match message["type"]:
            case "subscribe":
                return self._subscribe(message["id"], message["payload"])
            case "unsubscribe":
                for topic in message["payload"]["topics"]:
                    self.held.pop(topic, None)
                return [self._ack(message["id"], {"topics": []})]
            case "ping":
                return [{"type": "pong", "timestamp": AT, "payload": {}}]
        return []

    def commit(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what the client gets of a new event."""
        return [self._shown(event)] if self._has(event) else []

    def ping(self) -> dict[str, Any]:
        return {"type": "ping", "timestamp": AT, "payload": {} if self.old else {"seq": self.log.head}}

    def _has(self, event: dict[str, Any]) -> bool:
        return any(after < event["seq"] and matches([pattern], event) for pattern, after in self.held.items())

    def _shown(self, event: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in event.items() if not (self.old and name == "seq")}

    def _subscribe(self, request_id: Any, payload: dict[str, Any]) -> list[dict[str, Any]]:
        topics = payload["topics"]
        for index, topic in enumerate(topics):
            if not is_pattern(topic):
                return [self._error(request_id, "WS_INVALID_TOPIC", topic, f"topics.{index}")]
        if len(self.held.keys() | set(topics)) > self.max_patterns:
            return [self._error(request_id, "WS_SUBSCRIPTION_LIMIT", "too many", "topics")]
        since = None if self.old else payload.get("since")
        after, gap = (self.log.head, None) if since is None else self.log.locate(since)
        replay = [
            event | {"replayed": True}
            for event in self.log.after(after)
            if matches(topics, event) and not self._has(event)
        ]
        for topic in topics:
            self.held[topic] = min(after, self.held.get(topic, after))
        extra = {} if since is None else {"recovered": gap is None} | ({"gap": gap} if gap else {})
        return [self._ack(request_id, {"topics": topics} | extra), *replay]

    def _ack(self, request_id: Any, payload: dict[str, Any]) -> dict[str, Any]:
        position = {} if self.old else {"epoch": self.log.epoch, "seq": self.log.head}
        payload = payload | {"activeSubscriptions": len(self.held)} | position
        return {"type": "subscribed", "id": request_id, "timestamp": AT, "payload": payload}

    def _error(self, request_id: Any, code: str, text: str, where: str) -> dict[str, Any]:
        payload = {"code": code, "message": text}
        if self.old:
            return {"type": "error", "timestamp": AT, "payload": payload}
        return {"type": "error", "id": request_id, "timestamp": AT, "payload": payload | {"field": where}}


def is_pattern(topic: str) -> bool:
    entity, _, identifier = topic.partition(":")
    return topic == "*" or (bool(identifier) and (entity in ENTITIES or "*" in entity))
