"""What is going on, read from `agent_activity`, `activity_log` and `checkpoints`."""

from __future__ import annotations

import sqlite3
from typing import Final

from taskcopilot.store.transaction import ReadTx

__all__ = ["agents_at_work", "last_activity_of_stream", "latest_checkpoint_of_stream", "latest_checkpoint_of_task"]

_AGENTS: Final = """
    SELECT a.stream_id, a.agent_id, a.task_id, t.title AS task_title, t.metadata, a.activity_description, a.phase,
        a.started_at, a.last_heartbeat, a.completed_at, t.status
    FROM agent_activity a JOIN tasks t ON t.id = a.task_id
    WHERE {condition}
    ORDER BY a.last_heartbeat DESC, a.id
"""

_UNFINISHED: Final = "a.completed_at IS NULL AND t.status IN ('in_progress', 'blocked')"
"""The original ended activities with completed tasks only, so the task's status counts as well."""

_LAST_ACTIVITY: Final = """
    SELECT max(at) FROM (
        SELECT max(updated_at) AS at FROM tasks WHERE stream_id = ?
        UNION ALL
        SELECT max(last_heartbeat) FROM agent_activity WHERE task_id IN (SELECT id FROM tasks WHERE stream_id = ?)
        UNION ALL
        SELECT max(created_at) FROM activity_log
        WHERE (entity_type = 'task' AND entity_id IN (SELECT id FROM tasks WHERE stream_id = ?))
            OR (entity_type = 'stream' AND entity_id = ?)
    ) AS moments
"""

_CHECKPOINT: Final = "id, task_id, sequence, created_at, trigger, execution_phase, execution_step"

_UNEXPIRED: Final = "(expires_at IS NULL OR expires_at > ?)"
"""Compared with a time stamp of the one form that all writers use, whose text order is time order."""


def agents_at_work(tx: ReadTx, *, stream_id: str | None, unfinished_only: bool) -> list[sqlite3.Row]:
    """Return which agents are at work on which tasks, latest heartbeat first; with those who are done, on request."""
    conditions = ["1 = 1"]
    if stream_id is not None:
        conditions.append("a.stream_id = ?")
    if unfinished_only:
        conditions.append(_UNFINISHED)
    sql = _AGENTS.format(condition=" AND ".join(conditions))
    return tx.all(sql, () if stream_id is None else (stream_id,))


def last_activity_of_stream(tx: ReadTx, stream_id: str) -> str | None:
    """Return when the stream was last heard of: a diary row, a change of a task, or a heartbeat of its agent."""
    return tx.value(_LAST_ACTIVITY, (stream_id,) * 4)  # type: ignore[no-any-return]


def latest_checkpoint_of_stream(tx: ReadTx, stream_id: str) -> sqlite3.Row | None:
    """Return the newest checkpoint of the stream's tasks, archived ones included, that has not expired."""
    return tx.one(
        f"SELECT {_CHECKPOINT} FROM checkpoints WHERE task_id IN (SELECT id FROM tasks WHERE stream_id = ?) "  # noqa: S608
        f"AND {_UNEXPIRED} ORDER BY created_at DESC, sequence DESC, id LIMIT 1",
        (stream_id, tx.at),
    )


def latest_checkpoint_of_task(tx: ReadTx, task_id: str) -> sqlite3.Row | None:
    """Return the checkpoint of the task with the highest sequence that has not expired."""
    return tx.one(
        f"SELECT {_CHECKPOINT} FROM checkpoints WHERE task_id = ? AND {_UNEXPIRED} "  # noqa: S608
        "ORDER BY sequence DESC, created_at DESC, id LIMIT 1",
        (task_id, tx.at),
    )
