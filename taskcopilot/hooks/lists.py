"""The agents' own task lists as tasks here: one task for each of theirs, in one stream for each list."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.events import TaskStatus
from taskcopilot.hooks.payload import HOST, Hook
from taskcopilot.store import host_tasks, tasks
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.task_update import TaskUpdate, apply_update
from taskcopilot.tools.tasks import TaskCreate, require_task, task_create

__all__ = ["change", "complete", "ensure", "find"]

_TITLE: Final = 1_000
_DESCRIPTION: Final = 100_000

FINISHED: Final = ("completed", "cancelled")


def find(tx: Tx, hook: Hook, identifier: str) -> Task | None:
    """Return the task that stands for theirs, or None."""
    task_id = host_tasks.find(tx, HOST, hook.list, identifier)
    return None if task_id is None else tasks.find(tx, task_id)


def ensure(tx: Tx, hook: Hook, identifier: str, title: Any, description: Any = None) -> Task:
    """Return the task that stands for theirs, made now where there is none.

    Hosts count from 1 again in a list that was cleared: the id of a finished task with another title is a new task.
    """
    known = find(tx, hook, identifier)
    wanted = _line(title)
    if known is not None and not (known.status in FINISHED and wanted is not None and wanted != known.title):
        return known
    stream = {"streamId": f"{HOST}-{hook.list}", "streamName": f"{hook.project}: {hook.list}"}
    source = {"host": HOST, "session": hook.session, "list": hook.list, "id": identifier}
    call = {"title": wanted or f"Task {identifier}", "metadata": {**stream, "source": source}}
    if isinstance(description, str) and description:
        call["description"] = description[:_DESCRIPTION]
    task = require_task(tx, task_create(tx, TaskCreate.model_validate(call)).id)
    host_tasks.put(tx, HOST, hook.list, identifier, task.id)
    return task


def change(tx: Tx, task: Task, status: TaskStatus | None, agent: str | None) -> None:
    """Bring status and agent of a task to what the host says. What is so already, and what is archived, stays."""
    wanted: dict[str, Any] = {}
    if status is not None and status != task.status:
        wanted["status"] = status
    if agent is not None and agent != task.assigned_agent:
        wanted["assignedAgent"] = agent
    if wanted and not task.archived:
        apply_update(tx, task, TaskUpdate.model_validate({"id": task.id, **wanted}))


def complete(tx: Tx, task: Task, agent: str | None) -> None:
    """Note that the task is completed, by whom where that is known."""
    if task.status != "completed":
        change(tx, task, "completed", agent)


def _line(title: Any) -> str | None:
    return (title.strip()[:_TITLE] or None) if isinstance(title, str) else None
