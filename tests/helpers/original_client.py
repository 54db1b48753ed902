"""A client that asks what the original's Python client asks, and reads what it reads: nothing else.

Written from the facts in the contract: constructor, callback signature, message shapes, payload keys, polling requests.
Like the original it indexes the keys that it needs, so an answer without them fails the test.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import requests
import websocket

Callback = Callable[[str, str, dict[str, Any]], None]


class OriginalClient:
    """Listens by WebSocket; `poll_once` does one cycle of the original's HTTP fallback."""

    def __init__(self, api_base: str, use_websocket: bool = True, poll_interval: int = 30, debug: bool = False) -> None:
        self.api_base = api_base
        self.ws_url = api_base.replace("http://", "ws://") + "/ws"
        self.subscriptions: dict[str, list[Callback]] = {}
        self.acknowledged: list[dict[str, Any]] = []
        self.errors: list[tuple[str, str]] = []
        self.pinged = threading.Event()
        self.opened = threading.Event()
        self._last: dict[str, str] = {}
        self.ws = websocket.WebSocketApp(
            self.ws_url, on_open=lambda _: self.opened.set(), on_message=lambda _, text: self._on_message(text)
        )
        self.thread = threading.Thread(target=self.ws.run_forever, daemon=True)

    def connect(self) -> bool:
        """Open the socket."""
        self.thread.start()
        return self.opened.wait(20)

    def disconnect(self) -> None:
        """Close it; the shutdown wakes the library's thread, which looks at its flag every ten seconds only."""
        self.ws.keep_running = False
        if self.ws.sock is not None:
            with contextlib.suppress(OSError):
                self.ws.sock.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()

    def subscribe(self, topics: list[str], callback: Callback) -> None:
        """Send what the original sends."""
        for topic in topics:
            self.subscriptions.setdefault(topic, []).append(callback)
        message = {"type": "subscribe", "id": f"sub-{int(time.time() * 1000)}", "timestamp": now()}
        self.ws.send(json.dumps(message | {"payload": {"topics": topics}}))

    def _on_message(self, text: str) -> None:
        message = json.loads(text)
        match message["type"]:
            case "subscribed":
                self.acknowledged.append(message["payload"])
            case "event":
                payload = message["payload"]
                self._emit(payload["topic"], payload["eventType"], payload["data"])
            case "error":
                self.errors.append((message["payload"]["code"], message["payload"]["message"]))
            case "ping":
                self.ws.send(json.dumps({"type": "pong", "timestamp": now(), "payload": {}}))
                self.pinged.set()

    def poll_once(self) -> None:
        """One cycle of the fallback: the requests and the keys of the original."""
        for pattern in list(self.subscriptions):
            kind, _, identifier = pattern.partition(":")
            if pattern == "stream:*":
                for stream in requests.get(f"{self.api_base}/api/streams", timeout=20).json()["streams"]:
                    self._poll_stream(stream["streamId"])
            elif kind == "stream":
                self._poll_stream(identifier)
            elif kind == "task" and identifier != "*":
                self._poll_task(identifier)

    def _poll_stream(self, stream_id: str) -> None:
        response = requests.get(f"{self.api_base}/api/streams/{stream_id}", timeout=20)
        if response.status_code != 200 or not self._is_new(f"stream:{stream_id}", response.text):
            return
        stream = response.json()
        percentage = stream["completedTasks"] / stream["totalTasks"] * 100 if stream["totalTasks"] else 0
        data = {key: stream[key] for key in ("streamId", "streamName", "totalTasks", "completedTasks")}
        data |= {key: stream[key] for key in ("inProgressTasks", "blockedTasks")}
        self._emit(f"stream:{stream_id}", "stream.progress", data | {"progressPercentage": percentage})

    def _poll_task(self, task_id: str) -> None:
        response = requests.get(f"{self.api_base}/api/tasks/{task_id}", timeout=20)
        if response.status_code == 200 and self._is_new(f"task:{task_id}", response.text):
            self._emit(f"task:{task_id}", "task.updated", response.json())

    def _is_new(self, key: str, text: str) -> bool:
        before, self._last[key] = self._last.get(key), text
        return before != text

    def _emit(self, topic: str, event_type: str, data: dict[str, Any]) -> None:
        for pattern, callbacks in self.subscriptions.items():
            if pattern in ("*", topic) or (pattern.endswith("*") and topic.startswith(pattern[:-1])):
                for callback in callbacks:
                    callback(topic, event_type, data)


def now() -> str:
    """A time stamp as the original writes it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"
