"""Rows of the table `initiatives`. The current initiative is the one that was linked last."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from taskcopilot.clock import iso
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["Initiative", "current", "find", "forget_ended_runs", "save"]

_COLUMNS: Final = "id, title, description, created_at, updated_at"

_SAVE: Final = """
    INSERT INTO initiatives (id, title, description, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, description = excluded.description, updated_at = excluded.updated_at
"""

_FORGET_RUN: Final = """
    DELETE FROM stream_runs
    WHERE stream_id = ? AND NOT EXISTS (
        SELECT 1 FROM tasks WHERE tasks.stream_id = stream_runs.stream_id AND tasks.archived = 0
    )
"""

_TICK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiative:
    """One initiative as it stands in the database."""

    id: str
    title: str
    description: str | None
    created_at: str
    updated_at: str


def find(tx: ReadTx, initiative_id: str) -> Initiative | None:
    """Return an initiative by id, or None."""
    return _read(tx.one(f"SELECT {_COLUMNS} FROM initiatives WHERE id = ?", (initiative_id,)))  # noqa: S608


def current(tx: ReadTx) -> Initiative | None:
    """Return the initiative that was linked last, or None when there is none."""
    return _read(tx.one(f"SELECT {_COLUMNS} FROM initiatives ORDER BY updated_at DESC, id LIMIT 1"))  # noqa: S608


def save(tx: Tx, initiative_id: str, *, title: str, description: str | None) -> Initiative:
    """Add or change an initiative, and make it the current one."""
    last = current(tx)
    at = tx.at if last is None or last.id == initiative_id else _after(last.updated_at, tx.at)
    tx.execute(_SAVE, (initiative_id, title, description, tx.at, at))
    return cast("Initiative", find(tx, initiative_id))


def forget_ended_runs(tx: Tx, stream_ids: list[str]) -> None:
    """Forget when streams ran of which no task is left but archived ones: whoever uses their names next starts anew."""
    tx.execute_many(_FORGET_RUN, [(stream_id,) for stream_id in stream_ids])


def _after(last: str, now: str) -> str:
    """Return `now`, or the moment after `last` when that is not earlier.

    Two links within one millisecond, or after the clock was set back, would leave open which initiative is current.
    """
    if last < now:
        return now
    try:
        return iso(datetime.fromisoformat(last) + _TICK)
    except (ValueError, OverflowError):
        return now


def _read(row: sqlite3.Row | None) -> Initiative | None:
    return None if row is None else Initiative(**dict(row))
