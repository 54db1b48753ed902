"""What follows from a change of a task's status: events, diary, activity, performance, checkpoint, claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from taskcopilot.clock import iso
from taskcopilot.events import AgentCompleted, AgentStarted, TaskBlocked, TaskCompleted, TaskStatusChanged
from taskcopilot.store import activity_log, agent_activity, checkpoints, claims, performance
from taskcopilot.store.agent_activity import NO_STREAM
from taskcopilot.store.checkpoints import Checkpoint
from taskcopilot.store.performance import Outcome
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.agent_names import agent_name
from taskcopilot.tools.stream_events import milliseconds_since, report_start, stream_name

__all__ = ["follow_status"]

_OUTCOMES: Final[dict[str, Outcome]] = {"completed": "success", "blocked": "blocked", "cancelled": "failure"}

_AUTOMATIC_EXPIRY: Final = timedelta(hours=24)


def follow_status(tx: Tx, before: Task, after: Task) -> None:
    """Emit the events of the new status, up to the progress of the stream, and write what goes with it."""
    tx.emit(_status_changed(tx, before, after))
    match after.status:
        case "in_progress":
            _started(tx, after)
        case "blocked":
            tx.emit(_blocked(tx, after))
        case "completed":
            _completed(tx, after)
        case "cancelled":
            claims.release(tx, after.id)
            agent_activity.finish(tx, after.id)
        case "pending":
            agent_activity.finish(tx, after.id)
    _write_diary(tx, before, after)
    if before.assigned_agent and (outcome := _OUTCOMES.get(after.status)):
        performance.write(tx, after, before.assigned_agent, outcome)
    if after.status in ("in_progress", "blocked"):
        _save_automatically(tx, before, after)


def _status_changed(tx: Tx, before: Task, after: Task) -> TaskStatusChanged:
    return TaskStatusChanged(
        task_id=after.id,
        task_title=after.title,
        old_status=before.status,
        new_status=after.status,
        blocked_reason=(after.blocked_reason or "Unknown") if after.status == "blocked" else None,
        stream_id=after.stream_id,
        status_changed_at=tx.at,
    )


def _blocked(tx: Tx, task: Task) -> TaskBlocked:
    return TaskBlocked(
        task_id=task.id, task_title=task.title, blocked_reason=task.blocked_reason or "Unknown", blocked_at=tx.at
    )


def _started(tx: Tx, task: Task) -> None:
    if task.assigned_agent:
        phase = task.metadata.get("phase")
        phase = phase if isinstance(phase, str) else None
        agent_activity.touch(
            tx,
            task_id=task.id,
            agent_id=task.assigned_agent,
            stream_id=task.stream_id,
            description=task.title,
            phase=phase,
        )
        tx.emit(
            AgentStarted(
                stream_id=task.stream_id or NO_STREAM,
                stream_name=stream_name(tx, task.stream_id) if task.stream_id else NO_STREAM,
                agent_id=task.assigned_agent,
                agent_name=agent_name(task.assigned_agent),
                task_id=task.id,
                task_title=task.title,
                activity_description=task.title,
                phase=phase,
                started_at=tx.at,
            )
        )
    report_start(tx, task.stream_id)


def _completed(tx: Tx, task: Task) -> None:
    activity = agent_activity.find(tx, task.id)
    lasted = None if activity is None or activity.completed_at else milliseconds_since(tx, activity.started_at)
    tx.emit(TaskCompleted(task_id=task.id, task_title=task.title, completed_at=tx.at, duration=lasted))
    claims.release(tx, task.id)
    if activity is not None and lasted is not None:
        agent_activity.finish(tx, task.id)
        tx.emit(
            AgentCompleted(
                stream_id=activity.stream_id,
                agent_id=activity.agent_id,
                task_id=task.id,
                completed_at=tx.at,
                duration=lasted,
            )
        )


def _write_diary(tx: Tx, before: Task, after: Task) -> None:
    completed = after.status == "completed"
    activity_log.write(
        tx,
        activity_log.initiative_of_prd(tx, after.prd_id),
        kind="task_completed" if completed else "task_updated",
        entity_type="task",
        entity_id=after.id,
        summary=f"Completed: {after.title}" if completed else f"{after.title}: {before.status} -> {after.status}",
    )


def _save_automatically(tx: Tx, before: Task, after: Task) -> None:
    """Keep the task as it was before the update, but for the new reason; silently, as in the original."""
    snapshot = replace(before, blocked_reason=after.blocked_reason)
    expires_at = iso(tx.now + _AUTOMATIC_EXPIRY)
    checkpoints.insert(tx, snapshot, Checkpoint(trigger="auto_status", expires_at=expires_at))
