"""Rows of `host_tasks`: which task here stands for a task that a host of agents keeps by itself."""

from __future__ import annotations

from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["find", "of_list", "put"]

_PUT: Final = """
    INSERT INTO host_tasks (host, list, id, task_id) VALUES (?, ?, ?, ?)
    ON CONFLICT (host, list, id) DO UPDATE SET task_id = excluded.task_id
"""


def find(tx: ReadTx, host: str, of: str, identifier: str) -> str | None:
    """Return the id of the task that stands for the host's task in this list, or None."""
    return tx.value(  # type: ignore[no-any-return]
        "SELECT task_id FROM host_tasks WHERE host = ? AND list = ? AND id = ?", (host, of, identifier)
    )


def of_list(tx: ReadTx, host: str, of: str) -> dict[str, str]:
    """Return host's id -> task id for all of a list."""
    rows = tx.all("SELECT id, task_id FROM host_tasks WHERE host = ? AND list = ? ORDER BY id", (host, of))
    return {row["id"]: row["task_id"] for row in rows}


def put(tx: Tx, host: str, of: str, identifier: str, task_id: str) -> None:
    """Let a task stand for the host's task, in the place of the one that did."""
    tx.execute(_PUT, (host, of, identifier, task_id))
