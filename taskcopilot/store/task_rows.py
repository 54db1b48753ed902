"""Plain rows of `tasks` for those who show them, without the cost of a `Task` each."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from taskcopilot.store.transaction import ReadTx

__all__ = ["find", "newest", "stream_of", "streams"]

_COLUMNS: Final = (
    "id, prd_id, parent_id, title, description, assigned_agent, status, blocked_reason, notes, metadata, "
    "created_at, updated_at"
)

_NOT_ARCHIVED: Final = "+archived = 0"
"""The sign keeps SQLite from its index on `archived`, which nearly all rows share: a limit then reads few rows."""


def find(tx: ReadTx, task_id: str) -> sqlite3.Row | None:
    """Return the columns that are shown, and `stream_id`, of one task, archived or not."""
    return tx.one(f"SELECT {_COLUMNS}, stream_id FROM tasks WHERE id = ?", (task_id,))  # noqa: S608 - constant columns


def newest(tx: ReadTx, *, where: Mapping[str, str | None], limit: int | None = None) -> list[sqlite3.Row]:
    """Return the tasks that are not archived and whose columns equal the given values (None: NULL), newest first.

    Keys of `where` are column names written in this program, never input.
    """
    conditions = " AND ".join([_NOT_ARCHIVED, *(f"{column} IS ?" for column in where)])
    sql = f"SELECT {_COLUMNS} FROM tasks WHERE {conditions} ORDER BY created_at DESC, id DESC"  # noqa: S608
    parameters: list[Any] = list(where.values())
    if limit is not None:
        sql, parameters = f"{sql} LIMIT ?", [*parameters, limit]
    return tx.all(sql, parameters)


def stream_of(tx: ReadTx, task_id: str) -> str | None:
    """Return the stream of a task, archived or not: empty for a task without one, None when there is no such task."""
    row = tx.one("SELECT stream_id FROM tasks WHERE id = ?", (task_id,))
    return None if row is None else row["stream_id"] or ""


def streams(tx: ReadTx) -> dict[str, str]:
    """Return the stream of every task that has one, by the task's id."""
    return dict(tx.all("SELECT id, stream_id FROM tasks WHERE stream_id IS NOT NULL"))  # type: ignore[arg-type]
