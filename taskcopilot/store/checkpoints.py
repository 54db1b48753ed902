"""Rows of `checkpoints`: the state of a task at a moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from taskcopilot.store.tasks import Task, encode_metadata
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = [
    "MAX_PER_TASK",
    "Checkpoint",
    "count",
    "delete",
    "expired",
    "find",
    "insert",
    "latest",
    "listing",
    "older_than",
    "surplus",
]

MAX_PER_TASK: Final = 5
"""Checkpoints that a task keeps; a new one pushes out the oldest."""

_COLUMNS: Final = (
    "id, task_id, sequence, trigger, task_status, task_notes, task_metadata, blocked_reason, assigned_agent, "
    "execution_phase, execution_step, agent_context, draft_content, draft_type, subtask_states, created_at, "
    "expires_at, iteration_config, iteration_number, iteration_history, completion_promises, validation_state"
)

_INSERT: Final = f"""
    INSERT INTO checkpoints ({_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, NULL)
"""  # noqa: S608 - constant columns

_SELECT: Final = f"SELECT {_COLUMNS} FROM checkpoints"  # noqa: S608 - constant columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds beside the task's own fields."""

    trigger: str
    expires_at: str | None
    execution_phase: str | None = None
    execution_step: int | None = None
    agent_context: dict[str, Any] | None = None
    draft_content: str | None = None
    draft_type: str | None = None
    iteration_config: dict[str, Any] | None = None
    iteration_number: int = 0


def insert(tx: Tx, task: Task, checkpoint: Checkpoint) -> sqlite3.Row:
    """Save a checkpoint of the task, push out the oldest beyond the limit, and return the new row."""
    checkpoint_id = tx.new_id("CP")
    sequence = tx.value("SELECT coalesce(max(sequence), 0) + 1 FROM checkpoints WHERE task_id = ?", (task.id,))
    config = checkpoint.iteration_config
    tx.execute(
        _INSERT,
        (
            checkpoint_id,
            task.id,
            sequence,
            checkpoint.trigger,
            task.status,
            task.notes,
            encode_metadata(task.metadata),
            task.blocked_reason,
            task.assigned_agent,
            checkpoint.execution_phase,
            checkpoint.execution_step,
            _json(checkpoint.agent_context or {}),
            checkpoint.draft_content,
            checkpoint.draft_type,
            _json(_subtasks(tx, task.id)),
            tx.at,
            checkpoint.expires_at,
            None if config is None else _json(config),
            checkpoint.iteration_number,
            _json([] if config is None else config.get("completionPromises", [])),
        ),
    )
    delete(tx, surplus(tx, task.id, MAX_PER_TASK))
    return _require(tx, checkpoint_id)


def find(tx: ReadTx, checkpoint_id: str) -> sqlite3.Row | None:
    """Return a checkpoint, expired or not."""
    return tx.one(f"{_SELECT} WHERE id = ?", (checkpoint_id,))


def latest(tx: ReadTx, task_id: str) -> sqlite3.Row | None:
    """Return the task's newest checkpoint that has not expired."""
    return tx.one(
        f"{_SELECT} WHERE task_id = ? AND (expires_at IS NULL OR expires_at > ?) "
        "ORDER BY sequence DESC, created_at DESC LIMIT 1",
        (task_id, tx.at),
    )


def listing(
    tx: ReadTx, task_id: str, limit: int, iteration: int | None, has_iteration: bool | None
) -> list[sqlite3.Row]:
    """Return a task's checkpoints, newest first, expired ones included."""
    sql, parameters = f"{_SELECT} WHERE task_id = ?", [task_id]
    values: list[Any] = parameters
    if iteration is not None:
        sql += " AND iteration_number = ?"
        values.append(iteration)
    if has_iteration is not None:
        sql += f" AND iteration_config IS {'NOT ' if has_iteration else ''}NULL"
    return tx.all(f"{sql} ORDER BY sequence DESC, created_at DESC LIMIT ?", (*values, limit))


def surplus(tx: ReadTx, task_id: str, keep: int) -> list[str]:
    """Return the ids of all but the newest `keep` checkpoints of a task."""
    rows = tx.all("SELECT id FROM checkpoints WHERE task_id = ? ORDER BY sequence DESC, created_at DESC", (task_id,))
    return [row["id"] for row in rows[keep:]]


def expired(tx: ReadTx, task_id: str | None = None, limit: int = 500) -> list[sqlite3.Row]:
    """Return id, task_id and sequence of checkpoints whose time is over, the longest first."""
    condition, values = ("AND task_id = ?", (task_id,)) if task_id is not None else ("", ())
    return tx.all(
        f"SELECT id, task_id, sequence, expires_at FROM checkpoints WHERE expires_at <= ? {condition} "  # noqa: S608
        "ORDER BY expires_at, id LIMIT ?",
        (tx.at, *values, limit),
    )


def older_than(tx: ReadTx, at: str, task_id: str | None) -> list[str]:
    """Return the ids of checkpoints made before a moment, of one task or of all."""
    condition, values = ("AND task_id = ?", (task_id,)) if task_id is not None else ("", ())
    rows = tx.all(f"SELECT id FROM checkpoints WHERE created_at < ? {condition}", (at, *values))  # noqa: S608
    return [row["id"] for row in rows]


def delete(tx: Tx, checkpoint_ids: Sequence[str]) -> int:
    """Remove checkpoints; returns how many."""
    tx.execute_many("DELETE FROM checkpoints WHERE id = ?", [(checkpoint_id,) for checkpoint_id in checkpoint_ids])
    return len(checkpoint_ids)


def count(tx: ReadTx) -> int:
    """Return how many checkpoints there are, of all tasks."""
    return tx.value("SELECT count(*) FROM checkpoints")  # type: ignore[no-any-return]


def _require(tx: ReadTx, checkpoint_id: str) -> sqlite3.Row:
    row = find(tx, checkpoint_id)
    assert row is not None  # noqa: S101 - it was written a moment ago, in this transaction
    return row


def _subtasks(tx: ReadTx, task_id: str) -> list[dict[str, str]]:
    rows = tx.all("SELECT id, status FROM tasks WHERE parent_id = ? ORDER BY created_at, id", (task_id,))
    return [dict(row) for row in rows]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
