"""The HTTP side of the replaced server, as the contract describes it, without its WebSocket.

Its quirks are kept: no route for one task or for events, falsy values left out, details of a stream without counts,
lists of streams without tasks that have no PRD, archived tasks nowhere, errors in the framework's shape.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["OriginalServer", "running_original"]

START = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
PRD = "PRD-1"
STATUSES = {"completedTasks": "completed", "inProgressTasks": "in_progress", "blockedTasks": "blocked"}


class OriginalServer:
    """Its tasks, changed by the test's thread and served by others. Every change is a second after the last one."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.url = ""
        self._ticks = itertools.count(1)
        self._tasks: dict[str, dict[str, Any]] = {}
        self._archived: set[str] = set()
        self._lock = threading.Lock()

    def create(self, task_id: str, *, stream: str | None = None, prd: str | None = PRD, **fields: Any) -> None:
        """Create a pending task, in a stream if one is named."""
        now = self._now()
        metadata = {} if stream is None else {"streamId": stream, "streamName": stream.lower()}
        task = {"id": task_id, "prdId": prd, "title": f"title of {task_id}", "status": "pending", "metadata": metadata}
        with self._lock:
            self._tasks[task_id] = task | fields | {"createdAt": now, "updatedAt": now}

    def update(self, task_id: str, **fields: Any) -> None:
        """Change fields of a task by their wire names; nothing is forbidden."""
        with self._lock:
            self._tasks[task_id] = self._tasks[task_id] | fields | {"updatedAt": self._now()}

    def archive(self, task_id: str) -> None:
        """Archive a task: from now on it is in no answer."""
        with self._lock:
            self._archived.add(task_id)

    def _now(self) -> str:
        moment = START + timedelta(seconds=next(self._ticks))
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that are not archived, oldest first, without falsy values."""
        with self._lock:
            present = [task for task in self._tasks.values() if task["id"] not in self._archived]
        return [{key: value for key, value in task.items() if value or key == "metadata"} for task in present]

    def answer(self, path: str) -> tuple[int, Any]:
        """Return the status and the body of a GET."""
        self.requests.append(path)
        url = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        match url.path.rstrip("/").split("/"):
            case ["", "health"]:
                return 200, {"status": "ok", "timestamp": self._now()}
            case ["", "api", "tasks"]:
                return 200, self._task_list(query)
            case ["", "api", "streams"]:
                return 200, self._stream_list()
            case ["", "api", "streams", stream_id]:
                return self._stream(stream_id)
        return 404, {"message": f"Route GET:{path} not found", "error": "Not Found", "statusCode": 404}

    def _task_list(self, query: dict[str, str]) -> dict[str, Any]:
        found = self.tasks()[::-1]
        for name in ("status", "assignedAgent", "prdId"):
            found = [task for task in found if name not in query or task.get(name) == query[name]]
        if "streamId" in query:
            found = [task for task in found if task["metadata"].get("streamId") == query["streamId"]]
        limit = query.get("limit", "")
        found = found[: int(limit)] if limit.isdigit() and int(limit) else found
        return {"tasks": found, "totalTasks": len(found)}

    def _stream_list(self) -> dict[str, Any]:
        names = {task["metadata"].get("streamId") for task in self.tasks() if "prdId" in task} - {None}
        streams = [self._stream_info(name) for name in sorted(names)]
        return {"streams": streams, "totalStreams": len(streams)}

    def _stream_info(self, stream_id: str) -> dict[str, Any]:
        members = [task for task in self._members(stream_id) if "prdId" in task]
        counts = {key: sum(task["status"] == status for task in members) for key, status in STATUSES.items()}
        name = {"streamId": stream_id, "streamName": stream_id.lower(), "streamPhase": "parallel"}
        percentage = round(counts["completedTasks"] / len(members) * 100)
        rest = {"files": [], "streamPaths": [], "dependencies": [], "tokenUsage": 0, "overBudget": False}
        return name | {"totalTasks": len(members)} | counts | rest | {"progressPercentage": percentage}

    def _stream(self, stream_id: str) -> tuple[int, Any]:
        members = self._members(stream_id)
        if not members:
            return 404, {"error": "Stream not found", "streamId": stream_id}
        name = {"streamId": stream_id, "streamName": stream_id.lower(), "streamPhase": "parallel"}
        rest = {"dependencies": [], "status": "pending", "tokenUsage": 0, "overBudget": False, "archived": False}
        return 200, name | {"tasks": members} | rest | {"progressPercentage": 0}

    def _members(self, stream_id: str) -> list[dict[str, Any]]:
        return [task for task in self.tasks() if task["metadata"].get("streamId") == stream_id]


@contextlib.contextmanager
def running_original() -> Iterator[OriginalServer]:
    """Serve on a port of its own until the block ends."""
    server = OriginalServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = server.answer(self.path)
            text = json.dumps(body, separators=(",", ":")).encode()
            self.send_response(HTTPStatus(status))
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), name="original-server")
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
