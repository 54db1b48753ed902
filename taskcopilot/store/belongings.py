"""What belongs to an initiative: its PRDs, their tasks and subtasks, and all that hangs on these.

A task belongs to the initiative of its PRD; one without a PRD belongs where its parent does.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["FAMILY", "Wiped", "activity", "tasks", "wipe", "work_products"]

FAMILY: Final = """
    WITH RECURSIVE family (id) AS (
        SELECT tasks.id FROM tasks JOIN prds ON prds.id = tasks.prd_id WHERE prds.initiative_id = ?
        UNION
        SELECT tasks.id FROM tasks JOIN family ON tasks.parent_id = family.id WHERE tasks.prd_id IS NULL
    )
    SELECT id FROM family
"""
"""The ids of an initiative's tasks, for use in `IN (...)`. Takes the initiative's id as its parameter."""

_TASKS: Final = f"""
    SELECT id, prd_id, parent_id, title, description, assigned_agent, status, blocked_reason, notes, metadata,
        created_at, updated_at, archived, archived_at, archived_by_initiative_id
    FROM tasks WHERE id IN ({FAMILY}) ORDER BY created_at, id
"""  # noqa: S608 - constant text

_WORK_PRODUCTS: Final = f"""
    SELECT id, task_id, type, title, content, metadata, created_at, confidence
    FROM work_products WHERE task_id IN ({FAMILY}) ORDER BY created_at, id
"""  # noqa: S608 - constant text

_ACTIVITY: Final = """
    SELECT id, initiative_id, type, entity_id, entity_type, summary, metadata, created_at
    FROM activity_log WHERE initiative_id = ? ORDER BY created_at DESC, id DESC
"""

_STREAMS: Final = f"""
    SELECT DISTINCT stream_id FROM tasks
    WHERE id IN ({FAMILY}) AND stream_id IS NOT NULL ORDER BY stream_id
"""  # noqa: S608 - constant text

_RELEASE: Final = f"""
    UPDATE tasks SET parent_id = NULL WHERE parent_id IN ({FAMILY}) AND id NOT IN ({FAMILY})
"""  # noqa: S608 - constant text

_OF_TASKS: Final = (
    "agent_activity",
    "agent_handoffs",
    "agent_performance",
    "checkpoints",
    "task_claims",
    "work_products",
)
"""The tables whose rows hang on a task by `task_id`."""

_OF_PRDS: Final = "DELETE FROM scope_change_requests WHERE prd_id IN (SELECT id FROM prds WHERE initiative_id = ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiped:
    """How much was deleted, and the streams that lost tasks, by name."""

    prds: int
    tasks: int
    work_products: int
    activity: int
    streams: list[str]


def tasks(tx: ReadTx, initiative_id: str) -> list[sqlite3.Row]:
    """Return the initiative's tasks, archived ones included, oldest first."""
    return tx.all(_TASKS, (initiative_id,))


def work_products(tx: ReadTx, initiative_id: str) -> list[sqlite3.Row]:
    """Return the work products of the initiative's tasks, oldest first."""
    return tx.all(_WORK_PRODUCTS, (initiative_id,))


def activity(tx: ReadTx, initiative_id: str) -> list[sqlite3.Row]:
    """Return the initiative's diary, newest first."""
    return tx.all(_ACTIVITY, (initiative_id,))


def wipe(tx: Tx, initiative_id: str) -> Wiped:
    """Delete all that belongs to the initiative, but not the initiative.

    A subtask that names another initiative's PRD as its own stays, without its parent.
    """
    one = (initiative_id,)
    streams = [row["stream_id"] for row in tx.all(_STREAMS, one)]
    tx.execute(_RELEASE, one * 2)
    hanging = {table: tx.execute(_delete_of_tasks(table, "task_id"), one) for table in _OF_TASKS}
    deleted_tasks = tx.execute(_delete_of_tasks("tasks", "id"), one)
    tx.execute(_OF_PRDS, one)
    return Wiped(
        prds=tx.execute("DELETE FROM prds WHERE initiative_id = ?", one),
        tasks=deleted_tasks,
        work_products=hanging["work_products"],
        activity=tx.execute("DELETE FROM activity_log WHERE initiative_id = ?", one),
        streams=streams,
    )


def _delete_of_tasks(table: str, column: str) -> str:
    return f"DELETE FROM {table} WHERE {column} IN ({FAMILY})"  # noqa: S608 - constant names
