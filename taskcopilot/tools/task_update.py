"""task_update: one transaction for the task, everything that follows from its change, and all of its events."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from taskcopilot.errors import ConflictError
from taskcopilot.events import Change, ChangedField, TaskUpdated
from taskcopilot.store import agent_activity, performance, tasks
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.activation import ultrawork_warning
from taskcopilot.tools.fields import Identifier, Metadata, Omittable, TaskStatus, Text, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_events import report_progress, report_start
from taskcopilot.tools.stream_rules import refuse_bad_stream_metadata
from taskcopilot.tools.task_status import follow_status
from taskcopilot.tools.tasks import refuse_dependency_cycle, require_task

__all__ = ["TOOLS", "TaskUpdate", "TaskUpdateAnswer", "apply_update", "refuse_archived", "task_update"]


class TaskUpdate(WriteInput):
    """Arguments of task_update. A field that is left out stays as it is."""

    id: Identifier
    status: TaskStatus | None = None
    assigned_agent: Identifier | None = None
    notes: Text | None = None
    blocked_reason: Text | None = Field(default=None, description="why the task is blocked; cleared on unblock")
    metadata: Metadata | None = Field(default=None, description="merged over the stored metadata, key by key")


class TaskUpdateAnswer(ToolOutput):
    """Answer of task_update."""

    id: str
    status: TaskStatus
    updated_at: str
    activation_mode_warning: Omittable[str]
    auto_commit_requested: Omittable[bool]
    suggested_commit_message: Omittable[str]


def task_update(tx: Tx, call: TaskUpdate) -> TaskUpdateAnswer:
    """Change a task: status, agent, notes, reason, metadata. Reports the change of its stream too.

    Every change of status is allowed. A claim of another agent does not stand against it: claims are between agents
    that ask.
    """
    before = require_task(tx, call.id)
    refuse_archived(before)
    after = apply_update(tx, before, call)
    commit = _wants_commit(before, after)
    return TaskUpdateAnswer(
        id=after.id,
        status=after.status,
        updated_at=after.updated_at,
        activation_mode_warning=ultrawork_warning(tx, after) if call.metadata else None,
        auto_commit_requested=commit or None,
        suggested_commit_message=f"feat({after.id}): {after.title}" if commit else None,
    )


def refuse_archived(task: Task) -> None:
    """Raise ConflictError for a task that is archived: its stream has to be unarchived first."""
    if task.archived:
        raise ConflictError(
            f"task {task.id} is archived (stream {task.stream_id or 'none'}, by initiative "
            f"{task.archived_by_initiative_id or 'unknown'}); unarchive its stream first with stream_unarchive",
            field="id",
        )


def apply_update(tx: Tx, before: Task, call: TaskUpdate) -> Task:
    """Write the change and emit its events, in their order; returns the task as it is now."""
    after = tasks.update(tx, before, _wanted(tx, before, call))
    tx.emit(_updated(before, after))
    if before.assigned_agent and after.assigned_agent != before.assigned_agent:
        performance.write(tx, after, before.assigned_agent, "reassigned")
    if after.status != before.status:
        follow_status(tx, before, after)
    if after.stream_id != before.stream_id:
        _leave_stream(tx, before, after)
    if (after.stream_id, after.status) != (before.stream_id, before.status):
        report_progress(tx, after.stream_id)
    return after


def _leave_stream(tx: Tx, before: Task, after: Task) -> None:
    """Take the work on the task along to its new stream, which may start with that, and report the old stream."""
    agent_activity.move(tx, after.id, after.stream_id)
    if after.status == "in_progress":
        report_start(tx, after.stream_id)
    report_progress(tx, before.stream_id)


def _wanted(tx: Tx, before: Task, call: TaskUpdate) -> dict[str, Any]:
    """Return the columns as they will be."""
    status = call.status or before.status
    reason = call.blocked_reason if call.blocked_reason is not None else before.blocked_reason
    if before.status == "blocked" != status:
        reason = call.blocked_reason
    return {
        "status": status,
        "assigned_agent": call.assigned_agent or before.assigned_agent,
        "notes": before.notes if call.notes is None else call.notes,
        "blocked_reason": reason,
        "metadata": _merged(tx, before, call.metadata),
    }


def _merged(tx: Tx, before: Task, change: Metadata | None) -> Metadata:
    if not change:
        return before.metadata
    refuse_bad_stream_metadata(change)
    merged = {**before.metadata, **change}
    if change.keys() & {"streamId", "streamDependencies"}:
        refuse_dependency_cycle(tx, merged, before.id)
    return merged


def _updated(before: Task, after: Task) -> TaskUpdated:
    pairs: tuple[tuple[ChangedField, str | None, str | None], ...] = (
        ("status", before.status, after.status),
        ("assignedAgent", before.assigned_agent, after.assigned_agent),
        ("notes", before.notes, after.notes),
        ("blockedReason", before.blocked_reason, after.blocked_reason),
    )
    return TaskUpdated(
        task_id=after.id,
        task_title=after.title,
        status=after.status,
        assigned_agent=after.assigned_agent,
        stream_id=after.stream_id,
        changes=[Change(field=field, old_value=old, new_value=new) for field, old, new in pairs if old != new],
        updated_at=after.updated_at,
    )


def _wants_commit(before: Task, after: Task) -> bool:
    return (
        after.metadata.get("autoCommitOnComplete") is True
        and after.status == "completed"
        and before.status != "completed"
    )


TOOLS: Final = (
    Tool(name="task_update", input=TaskUpdate, output=TaskUpdateAnswer, run=task_update, writes=True, repeatable=True),
)
