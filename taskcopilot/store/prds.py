"""Rows of the table `prds`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx

__all__ = ["Prd", "find"]

_COLUMNS: Final = "id, initiative_id, title, description, content, metadata, status, created_at, updated_at"


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


def find(tx: ReadTx, prd_id: str) -> Prd | None:
    """Return a PRD by id, or None."""
    row = tx.one(f"SELECT {_COLUMNS} FROM prds WHERE id = ?", (prd_id,))  # noqa: S608 - constant columns
    return None if row is None else Prd.from_row(row)
