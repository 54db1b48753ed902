"""Rows of the table `tasks`, and the claims on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import orjson

from taskcopilot.events import TaskStatus
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Task", "encode_metadata", "find", "insert", "listing", "update"]

_COLUMNS: Final = (
    "id, prd_id, parent_id, title, description, assigned_agent, status, blocked_reason, notes, metadata, "
    "created_at, updated_at, archived, archived_at, archived_by_initiative_id, stream_id"
)

_INSERT: Final = """
    INSERT INTO tasks
        (id, prd_id, parent_id, title, description, assigned_agent, status, metadata, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as it stands in the database."""

    id: str
    prd_id: str | None
    parent_id: str | None
    title: str
    description: str | None
    assigned_agent: str | None
    status: TaskStatus
    blocked_reason: str | None
    notes: str | None
    metadata: dict[str, Any]
    created_at: str
    updated_at: str
    archived: bool
    archived_at: str | None
    archived_by_initiative_id: str | None
    stream_id: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Task:
        """Read a row that holds all columns of the table; metadata that is no JSON object counts as empty."""
        values: dict[str, Any] = dict(row)
        values["metadata"] = decode_metadata(values["metadata"])
        values["archived"] = bool(values["archived"])
        return cls(**values)


def decode_metadata(text: str | None) -> dict[str, Any]:
    """Read a metadata column: whatever is no JSON object counts as empty, because anybody may have written it."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def encode_metadata(metadata: Mapping[str, Any]) -> str:
    """Write metadata compactly: other programs look for `"streamId":"x"` in the text."""
    return orjson.dumps(metadata).decode()


def find(tx: ReadTx, task_id: str) -> Task | None:
    """Return a task by id, or None."""
    row = tx.one(f"SELECT {_COLUMNS} FROM tasks WHERE id = ?", (task_id,))  # noqa: S608 - constant columns
    return None if row is None else Task.from_row(row)


def listing(
    tx: ReadTx, *, where: Mapping[str, Any], newest_first: bool = False, limit: int | None = None
) -> list[Task]:
    """Return the tasks whose columns equal the given values, by creation time.

    Keys of `where` are column names written in this program, never input; None asks for NULL.
    """
    conditions = [f"{column} IS NULL" if value is None else f"{column} = ?" for column, value in where.items()]
    condition = " AND ".join(conditions) or "1 = 1"
    direction = "DESC" if newest_first else "ASC"
    sql = f"SELECT {_COLUMNS} FROM tasks WHERE {condition} ORDER BY created_at {direction}, id {direction}"  # noqa: S608
    parameters = [value for value in where.values() if value is not None]
    if limit is not None:
        sql, parameters = f"{sql} LIMIT ?", [*parameters, limit]
    return [Task.from_row(row) for row in tx.all(sql, parameters)]


def insert(
    tx: Tx,
    *,
    title: str,
    description: str | None,
    prd_id: str | None,
    parent_id: str | None,
    assigned_agent: str | None,
    metadata: Mapping[str, Any],
) -> Task:
    """Add a pending task and return it."""
    task_id = tx.new_id("TASK")
    tx.execute(
        _INSERT,
        (task_id, prd_id, parent_id, title, description, assigned_agent, encode_metadata(metadata), tx.at, tx.at),
    )
    return cast("Task", find(tx, task_id))


def update(tx: Tx, before: Task, wanted: Mapping[str, Any]) -> Task:
    """Write the wanted columns that differ, and `updated_at`; return the task as it is now.

    Columns that stay are left out: SQLite would rewrite every index that they are in, a page each for every commit.
    Keys of `wanted` are fields of a task that tools may change, written in this program, never input.
    """
    changed = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    values = [encode_metadata(value) if name == "metadata" else value for name, value in changed.items()]
    columns = ", ".join(f"{name} = ?" for name in (*changed, "updated_at"))
    tx.execute(f"UPDATE tasks SET {columns} WHERE id = ?", (*values, tx.at, before.id))  # noqa: S608
    if "metadata" in changed:  # and with it, perhaps, the stream
        return cast("Task", find(tx, before.id))
    return replace(before, **changed, updated_at=tx.at)


def work_product_briefs(tx: ReadTx, task_id: str) -> list[sqlite3.Row]:
    """Return id, type, title and created_at of a task's work products, newest first."""
    return tx.all(
        "SELECT id, type, title, created_at FROM work_products WHERE task_id = ? ORDER BY created_at DESC, id DESC",
        (task_id,),
    )


def child_summaries(tx: ReadTx) -> dict[str, tuple[int, int]]:
    """Return parent -> (number of subtasks, completed ones) for all parents."""
    rows = tx.all(
        "SELECT parent_id, count(*) AS n, sum(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS done "
        "FROM tasks WHERE parent_id IS NOT NULL GROUP BY parent_id"
    )
    return {row["parent_id"]: (row["n"], row["done"]) for row in rows}


def ids_with_work_products(tx: ReadTx) -> set[str]:
    """Return the ids of the tasks that have work products."""
    return {row["task_id"] for row in tx.all("SELECT DISTINCT task_id FROM work_products")}


def count_children(tx: ReadTx, task_id: str) -> int:
    """Return how many subtasks a task has."""
    return tx.value("SELECT count(*) FROM tasks WHERE parent_id = ?", (task_id,))  # type: ignore[no-any-return]
