"""The state of a server at one moment, as far as events can be concluded from it: its tasks, and the streams they form.

Read from `GET /api/tasks` of the original server. It leaves out keys without a value; `streamId` and `streamName` are
members of a task's metadata. A stream is counted as that server's own events count it: all its tasks that are not
archived, cancelled ones too, of whatever initiative, also without a PRD. (`GET /api/streams` counts differently.)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from task_copilot_client.messages import MalformedError

__all__ = ["Snapshot", "Stream", "Task", "read_snapshot"]

_log: Final = logging.getLogger("task_copilot_client")


@dataclass(frozen=True, slots=True)
class Task:
    """What of a task matters to its events. Every change on the server changes `updated_at` at least."""

    id: str
    title: str
    status: str
    agent: str | None
    notes: str | None
    blocked_reason: str | None
    stream_id: str | None
    stream_name: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Stream:
    """The tasks of one stream, oldest first; at least one."""

    id: str
    tasks: tuple[Task, ...]

    @property
    def name(self) -> str:
        """The name that its oldest task with one gives it, or else its id."""
        return next((task.stream_name for task in self.tasks if task.stream_name), self.id)

    def count(self, status: str) -> int:
        """Return how many tasks have a status."""
        return sum(task.status == status for task in self.tasks)

    @property
    def updated_at(self) -> str:
        """When any of its tasks was changed last."""
        return max(task.updated_at for task in self.tasks)


@dataclass(frozen=True)
class Snapshot:
    """All tasks by id."""

    tasks: Mapping[str, Task]

    def streams(self) -> dict[str, Stream]:
        """Return the streams by id, in order of their ids."""
        members: dict[str, list[Task]] = {}
        for task in sorted(self.tasks.values(), key=lambda task: (task.created_at, task.id)):
            if task.stream_id is not None:
                members.setdefault(task.stream_id, []).append(task)
        return {name: Stream(name, tuple(members[name])) for name in sorted(members)}


def read_snapshot(body: Any) -> Snapshot:
    """Read the answer of `GET /api/tasks`; MalformedError when it is none.

    A strange task is reported and left out: it must not keep the events of the others from coming.
    """
    if not isinstance(body, dict) or not isinstance(body.get("tasks"), list):
        raise MalformedError("no object with tasks")
    return Snapshot({task.id: task for task in _read_tasks(body["tasks"])})


def _read_tasks(items: Iterable[Any]) -> Iterator[Task]:
    for item in items:
        match item:
            case {"id": str(), "status": str(), "createdAt": str(), "updatedAt": str()}:
                yield _read_task(item)
            case _:
                _log.warning("a task of the server was ignored: it lacks an id, a status or a time")


def _read_task(item: Mapping[str, Any]) -> Task:
    metadata = item.get("metadata")
    inside: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    return Task(
        id=item["id"],
        title=_text(item, "title") or "",
        status=item["status"],
        agent=_text(item, "assignedAgent"),
        notes=_text(item, "notes"),
        blocked_reason=_text(item, "blockedReason"),
        stream_id=_text(inside, "streamId"),
        stream_name=_text(inside, "streamName"),
        created_at=item["createdAt"],
        updated_at=item["updatedAt"],
    )


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
