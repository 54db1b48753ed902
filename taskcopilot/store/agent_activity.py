"""Rows of `agent_activity`: which agent is at work on which task, one row per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from taskcopilot.events import NO_STREAM
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["NO_STREAM", "Activity", "find", "finish", "move", "touch"]

_TOUCH: Final = """
    INSERT INTO agent_activity
        (id, stream_id, agent_id, task_id, activity_description, phase, started_at, last_heartbeat, completed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)
    ON CONFLICT (id) DO UPDATE SET
        stream_id = excluded.stream_id,
        agent_id = excluded.agent_id,
        activity_description = coalesce(excluded.activity_description, agent_activity.activity_description),
        phase = coalesce(excluded.phase, agent_activity.phase),
        started_at = CASE WHEN agent_activity.completed_at IS NULL AND agent_activity.agent_id = excluded.agent_id
            THEN agent_activity.started_at ELSE excluded.started_at END,
        last_heartbeat = excluded.last_heartbeat,
        completed_at = NULL
"""


@dataclass(frozen=True, slots=True)
class Activity:
    """An agent's work on a task; `completed_at` is None while it lasts."""

    agent_id: str
    stream_id: str
    started_at: str
    completed_at: str | None


def find(tx: ReadTx, task_id: str) -> Activity | None:
    """Return who is or was at work on the task."""
    row = tx.one(
        "SELECT agent_id, stream_id, started_at, completed_at FROM agent_activity WHERE id = ?", (_id(task_id),)
    )
    return None if row is None else Activity(**dict(row))


def touch(
    tx: Tx, *, task_id: str, agent_id: str, stream_id: str | None, description: str | None, phase: str | None
) -> None:
    """Note that the agent is at work now. The start is kept while the same agent's work lasts."""
    row = (_id(task_id), stream_id or NO_STREAM, agent_id, task_id, description, phase, tx.at, tx.at)
    tx.execute(_TOUCH, row)


def move(tx: Tx, task_id: str, stream_id: str | None) -> None:
    """Book the work on the task, finished or not, under another stream."""
    tx.execute("UPDATE agent_activity SET stream_id = ? WHERE id = ?", (stream_id or NO_STREAM, _id(task_id)))


def finish(tx: Tx, task_id: str) -> None:
    """Note that nobody is at work on the task any more."""
    tx.execute(
        "UPDATE agent_activity SET completed_at = ? WHERE id = ? AND completed_at IS NULL", (tx.at, _id(task_id))
    )


def _id(task_id: str) -> str:
    return f"ACTIVITY-{task_id}"
