"""checkpoint_resume: hands a checkpoint out, with all that an agent needs to go on."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any, Final

from taskcopilot.errors import ConflictError, NotFoundError
from taskcopilot.events import CheckpointResumed as CheckpointResumedEvent
from taskcopilot.store import checkpoints
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.checkpoints import stored_json, stored_list
from taskcopilot.tools.fields import Identifier, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.tasks import require_task
from taskcopilot.tools.text import preview

__all__ = ["TOOLS", "checkpoint_resume"]

_PREVIEW: Final = 200


class CheckpointResume(WriteInput):
    """Arguments of checkpoint_resume."""

    task_id: Identifier
    checkpoint_id: Identifier | None = None


class SubtaskSummary(ToolOutput):
    """The subtasks as they were."""

    total: int
    completed: int
    pending: int
    blocked: int


class CheckpointResumed(ToolOutput):
    """Answer of checkpoint_resume."""

    task_id: str
    task_title: str
    checkpoint_id: str
    checkpoint_created_at: str
    restored_status: str
    restored_phase: str | None
    restored_step: int | None
    agent_context: Any
    has_draft: bool
    draft_type: str | None
    draft_preview: str | None
    subtask_summary: SubtaskSummary
    resume_instructions: str
    iteration_config: Any
    iteration_number: int
    iteration_history: list[Any]
    completion_promises: list[Any]
    validation_state: Any


def checkpoint_resume(tx: Tx, call: CheckpointResume) -> CheckpointResumed:
    """Get what a task's checkpoint holds and what to do next: by default of the newest one that has not expired.

    Changes nothing in the task: read the instructions and go on from there.
    """
    task = require_task(tx, call.task_id, field="taskId")
    row = _chosen(tx, task, call.checkpoint_id)
    tx.emit(
        CheckpointResumedEvent(
            checkpoint_id=row["id"],
            task_id=task.id,
            task_title=task.title,
            sequence=row["sequence"],
            resumed_at=tx.at,
        )
    )
    return _answer(task, row)


def _chosen(tx: Tx, task: Task, checkpoint_id: str | None) -> sqlite3.Row:
    if checkpoint_id is None:
        row = checkpoints.latest(tx, task.id)
        if row is None:
            raise NotFoundError(f"No checkpoint found for task {task.id} (or all have expired)", field="taskId")
        return row
    row = checkpoints.find(tx, checkpoint_id)
    if row is None:
        raise NotFoundError(f"Checkpoint not found: {checkpoint_id}", field="checkpointId")
    if row["task_id"] != task.id:
        raise ConflictError(f"checkpoint {checkpoint_id} belongs to task {row['task_id']}", field="checkpointId")
    if row["expires_at"] is not None and row["expires_at"] <= tx.at:
        raise NotFoundError(f"checkpoint {checkpoint_id} expired at {row['expires_at']}", field="checkpointId")
    return row


def _answer(task: Task, row: sqlite3.Row) -> CheckpointResumed:
    draft, subtasks = row["draft_content"], _subtasks(row)
    return CheckpointResumed(
        task_id=task.id,
        task_title=task.title,
        checkpoint_id=row["id"],
        checkpoint_created_at=row["created_at"],
        restored_status=row["task_status"],
        restored_phase=row["execution_phase"],
        restored_step=row["execution_step"],
        agent_context=stored_json(row["agent_context"]),
        has_draft=bool(draft),
        draft_type=row["draft_type"],
        draft_preview=preview(draft, _PREVIEW) if draft else None,
        subtask_summary=subtasks,
        resume_instructions=" ".join(_instructions(task, row, subtasks)),
        iteration_config=stored_json(row["iteration_config"]),
        iteration_number=row["iteration_number"] or 0,
        iteration_history=stored_list(row["iteration_history"]),
        completion_promises=stored_list(row["completion_promises"]),
        validation_state=stored_json(row["validation_state"]),
    )


def _subtasks(row: sqlite3.Row) -> SubtaskSummary:
    states = stored_list(row["subtask_states"])
    counted = Counter(state.get("status") for state in states if isinstance(state, dict))
    return SubtaskSummary(
        total=len(states), completed=counted["completed"], pending=counted["pending"], blocked=counted["blocked"]
    )


def _instructions(task: Task, row: sqlite3.Row, subtasks: SubtaskSummary) -> list[str]:
    """Say in a few sentences where the task stood and what comes next."""
    lines = [f"Resume '{task.title}'; it was {row['task_status'].replace('_', ' ')} at {row['created_at']}."]
    if row["execution_phase"] is not None:
        step = "" if row["execution_step"] is None else f", step {row['execution_step']}"
        lines.append(f"Go on in phase '{row['execution_phase']}'{step}.")
    if row["blocked_reason"]:
        lines.append(f"It was blocked: {row['blocked_reason']}")
    if row["draft_content"]:
        lines.append("A draft exists; read it with checkpoint_get.")
    if subtasks.total:
        lines.append(f"{subtasks.completed} of {subtasks.total} subtasks were complete, {subtasks.blocked} blocked.")
    if task.status != row["task_status"]:
        lines.append(f"Since then the task became {task.status.replace('_', ' ')}.")
    return lines


TOOLS: Final = (
    Tool(
        name="checkpoint_resume", input=CheckpointResume, output=CheckpointResumed, run=checkpoint_resume, writes=True
    ),
)
