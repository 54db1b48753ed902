"""From two states of a server to the events that lie between them: synthetic ones, in the shapes of real ones.

What happened more than once between the two is seen once: a task that was blocked and unblocked has been updated, no
more. Task events come in the order of the changes, each task's in the order of the server's; then, for every
stream whose counts or members' statuses changed, its progress. Tasks that are gone (archived, deleted) have no event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from task_copilot_client.messages import Event
from task_copilot_client.snapshot import Snapshot, Stream, Task

__all__ = ["FIRST_STATUS", "events_between"]

FIRST_STATUS: Final = "pending"
"""Every task begins so: one that is first seen with another status has changed since."""

_LISTED: Final = (
    ("status", "status"),
    ("assignedAgent", "agent"),
    ("notes", "notes"),
    ("blockedReason", "blocked_reason"),
)
"""What `changes` of task.updated may list, and what it is called here."""

_COUNTED: Final = ("pending", "in_progress", "blocked", "completed", "cancelled")


def events_between(before: Snapshot, after: Snapshot) -> list[Event]:
    """Return the events that lead from one state to the other; none when they are equal."""
    changed = [task for task in after.tasks.values() if before.tasks.get(task.id) != task]
    changed.sort(key=lambda task: (task.updated_at, task.id))
    return [
        *(event for task in changed for event in _task_events(before.tasks.get(task.id), task)),
        *_all_stream_events(before, after),
    ]


def _task_events(old: Task | None, task: Task) -> Iterator[Event]:
    if old is None:
        yield _event(task, "created", {"assignedAgent": task.agent, "streamId": task.stream_id}, "createdAt")
    if old is not None or task.status != FIRST_STATUS:
        yield _updated(old, task)
    was = FIRST_STATUS if old is None else old.status
    if was != task.status:
        yield from _status_events(was, task)


def _updated(old: Task | None, task: Task) -> Event:
    data = {"status": task.status, "assignedAgent": task.agent, "streamId": task.stream_id}
    return _event(task, "updated", data | {"changes": _changes(old, task)}, "updatedAt")


def _changes(old: Task | None, task: Task) -> list[dict[str, Any]]:
    """List the fields that differ; of a task that was never seen only its status is known to have changed."""
    if old is None:
        return [{"field": "status", "oldValue": FIRST_STATUS, "newValue": task.status}]
    return [
        {"field": field, "oldValue": getattr(old, name), "newValue": getattr(task, name)}
        for field, name in _LISTED
        if getattr(old, name) != getattr(task, name)
    ]


def _status_events(was: str, task: Task) -> Iterator[Event]:
    reason = task.blocked_reason or "Unknown" if task.status == "blocked" else None
    data = {"oldStatus": was, "newStatus": task.status, "blockedReason": reason, "streamId": task.stream_id}
    yield _event(task, "status_changed", data, "statusChangedAt")
    if task.status == "blocked":
        yield _event(task, "blocked", {"blockedReason": reason}, "blockedAt")
    elif task.status == "completed":
        yield _event(task, "completed", {}, "completedAt")


def _event(task: Task, kind: str, data: dict[str, Any], time_key: str) -> Event:
    at = task.created_at if kind == "created" else task.updated_at
    known = {name: value for name, value in data.items() if value is not None}
    body = {"taskId": task.id, "taskTitle": task.title, **known, time_key: at}
    return Event(f"task:{task.id}", f"task.{kind}", body, None, at=at, synthetic=True)


def _all_stream_events(before: Snapshot, after: Snapshot) -> Iterator[Event]:
    known = before.streams()
    for stream in after.streams().values():
        has_moved = any(_has_moved(before, task) for task in stream.tasks)
        old = known.get(stream.id)
        if has_moved or old is None or _counts(old) != _counts(stream):
            yield _progress(stream)
        if has_moved:
            yield from _ends(stream)


def _has_moved(before: Snapshot, task: Task) -> bool:
    old = before.tasks.get(task.id)
    return task.status != (FIRST_STATUS if old is None else old.status)


def _counts(stream: Stream) -> list[int]:
    return [len(stream.tasks), *(stream.count(status) for status in _COUNTED)]


def _progress(stream: Stream) -> Event:
    total, completed = len(stream.tasks), stream.count("completed")
    data = {
        "totalTasks": total,
        "completedTasks": completed,
        "inProgressTasks": stream.count("in_progress"),
        "blockedTasks": stream.count("blocked"),
        "progressPercentage": completed / total * 100,
        "lastUpdated": stream.updated_at,
    }
    return _stream_event(stream, "progress", data)


def _ends(stream: Stream) -> Iterator[Event]:
    """Yield what the server says after the progress: that all is completed, or that something is blocked."""
    blocked = [task.id for task in stream.tasks if task.status == "blocked"]
    total = len(stream.tasks)
    if stream.count("completed") == total:
        data = {"totalTasks": total, "completedAt": stream.updated_at, "duration": 0}
        yield _stream_event(stream, "completed", data)
    elif blocked:
        data = {"blockedReason": f"{len(blocked)} task(s) blocked", "blockedTaskIds": blocked}
        yield _stream_event(stream, "blocked", data)


def _stream_event(stream: Stream, kind: str, data: dict[str, Any]) -> Event:
    body = {"streamId": stream.id, "streamName": stream.name, **data}
    return Event(f"stream:{stream.id}", f"stream.{kind}", body, None, at=stream.updated_at, synthetic=True)
