"""Rows of the table `prds`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from taskcopilot.store.tasks import decode_metadata, encode_metadata
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Prd", "TaskCount", "count_tasks", "find", "insert", "listing", "task_counts"]

_COLUMNS: Final = "id, initiative_id, title, description, content, metadata, status, created_at, updated_at"

_INSERT: Final = """
    INSERT INTO prds (id, initiative_id, title, description, content, metadata, status, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?)
"""

_COUNT: Final = "count(*) AS total, sum(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prd:
    """One product requirements document as it stands in the database."""

    id: str
    initiative_id: str
    title: str
    description: str | None
    content: str
    metadata: dict[str, Any]
    status: str
    created_at: str
    updated_at: str

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Prd:
        """Read a row that holds all columns of the table."""
        values: dict[str, Any] = dict(row)
        values["metadata"] = decode_metadata(values["metadata"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class TaskCount:
    """How many tasks name a PRD as theirs, archived and cancelled ones included; `completed` is None without any."""

    total: int = 0
    completed: int | None = None


def find(tx: ReadTx, prd_id: str) -> Prd | None:
    """Return a PRD by id, or None."""
    row = tx.one(f"SELECT {_COLUMNS} FROM prds WHERE id = ?", (prd_id,))  # noqa: S608 - constant columns
    return None if row is None else Prd.from_row(row)


def listing(tx: ReadTx, *, where: Mapping[str, str]) -> list[Prd]:
    """Return the PRDs whose columns equal the given values, newest first.

    Keys of `where` are column names written in this program, never input.
    """
    condition = " AND ".join(f"{column} = ?" for column in where) or "1 = 1"
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM prds WHERE {condition} ORDER BY created_at DESC, id DESC",  # noqa: S608
        tuple(where.values()),
    )
    return [Prd.from_row(row) for row in rows]


def insert(
    tx: Tx, *, initiative_id: str, title: str, description: str | None, content: str, metadata: Mapping[str, Any]
) -> Prd:
    """Add an active PRD to an initiative and return it."""
    prd_id = tx.new_id("PRD")
    tx.execute(_INSERT, (prd_id, initiative_id, title, description, content, encode_metadata(metadata), tx.at, tx.at))
    return cast("Prd", find(tx, prd_id))


def count_tasks(tx: ReadTx, prd_id: str) -> TaskCount:
    """Count the tasks of one PRD."""
    row = tx.one(f"SELECT {_COUNT} FROM tasks WHERE prd_id = ?", (prd_id,))  # noqa: S608 - constant columns
    return TaskCount(*cast("sqlite3.Row", row))


def task_counts(tx: ReadTx) -> dict[str, TaskCount]:
    """Count the tasks of all PRDs that have any."""
    rows = tx.all(f"SELECT prd_id, {_COUNT} FROM tasks WHERE prd_id IS NOT NULL GROUP BY prd_id")  # noqa: S608
    return {row["prd_id"]: TaskCount(row["total"], row["completed"]) for row in rows}
