"""Rows of the table `work_products`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from taskcopilot.store.tasks import decode_metadata, encode_metadata
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["WorkProduct", "find", "insert", "of_task"]

_COLUMNS: Final = "id, task_id, type, title, content, metadata, created_at, confidence"

_INSERT: Final = """
    INSERT INTO work_products (id, task_id, type, title, content, metadata, created_at, confidence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkProduct:
    """One work product as it stands in the database."""

    id: str
    task_id: str
    type: str
    title: str
    content: str
    metadata: dict[str, Any]
    created_at: str
    confidence: float | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> WorkProduct:
        """Read a row that holds all columns of the table."""
        values: dict[str, Any] = dict(row)
        values["metadata"] = decode_metadata(values["metadata"])
        return cls(**values)


def find(tx: ReadTx, work_product_id: str) -> WorkProduct | None:
    """Return a work product by id, or None."""
    row = tx.one(f"SELECT {_COLUMNS} FROM work_products WHERE id = ?", (work_product_id,))  # noqa: S608
    return None if row is None else WorkProduct.from_row(row)


def of_task(tx: ReadTx, task_id: str) -> list[WorkProduct]:
    """Return the work products of a task, newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM work_products WHERE task_id = ? ORDER BY created_at DESC, id DESC",  # noqa: S608
        (task_id,),
    )
    return [WorkProduct.from_row(row) for row in rows]


def insert(
    tx: Tx,
    *,
    task_id: str,
    kind: str,
    title: str,
    content: str,
    metadata: Mapping[str, Any],
    confidence: float | None,
) -> WorkProduct:
    """Add a work product to a task and return it."""
    work_product_id = tx.new_id("WP")
    tx.execute(_INSERT, (work_product_id, task_id, kind, title, content, encode_metadata(metadata), tx.at, confidence))
    return cast("WorkProduct", find(tx, work_product_id))
