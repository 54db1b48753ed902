"""Counts over the whole workspace and over one initiative. Archived tasks of an initiative do not count."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, cast

from taskcopilot.store.belongings import FAMILY
from taskcopilot.store.transaction import ReadTx

__all__ = ["recent_activity", "statuses", "tasks", "work_products", "workspace_counts"]

_WORKSPACE: Final = """
    SELECT
        (SELECT count(*) FROM prds) AS prds,
        (SELECT count(*) FROM tasks) AS tasks,
        (SELECT count(*) FROM tasks WHERE status = 'completed') AS completed,
        (SELECT count(*) FROM work_products) AS work_products
"""

_TASKS: Final = f"""
    SELECT status, updated_at FROM tasks WHERE id IN ({FAMILY}) AND archived = 0
"""  # noqa: S608 - constant text

_WORK_PRODUCTS: Final = f"""
    SELECT work_products.type, work_products.confidence, work_products.metadata
    FROM work_products JOIN tasks ON tasks.id = work_products.task_id
    WHERE tasks.id IN ({FAMILY}) AND tasks.archived = 0
    ORDER BY work_products.created_at, work_products.id
"""  # noqa: S608 - constant text

_RECENT: Final = """
    SELECT created_at, type, summary FROM activity_log
    WHERE initiative_id = ? ORDER BY created_at DESC, id DESC LIMIT ?
"""


def workspace_counts(tx: ReadTx) -> sqlite3.Row:
    """Return `prds`, `tasks`, `completed` (tasks) and `work_products` of the whole database."""
    return cast("sqlite3.Row", tx.one(_WORKSPACE))


def tasks(tx: ReadTx, initiative_id: str) -> list[sqlite3.Row]:
    """Return `status` and `updated_at` of the initiative's tasks."""
    return tx.all(_TASKS, (initiative_id,))


def work_products(tx: ReadTx, initiative_id: str) -> list[sqlite3.Row]:
    """Return `type`, `confidence` and `metadata` of the work products of the initiative's tasks, oldest first."""
    return tx.all(_WORK_PRODUCTS, (initiative_id,))


def recent_activity(tx: ReadTx, initiative_id: str, limit: int) -> list[sqlite3.Row]:
    """Return `created_at`, `type` and `summary` of the newest diary rows, newest first."""
    return tx.all(_RECENT, (initiative_id, limit))


def statuses(tx: ReadTx, task_ids: Sequence[str]) -> dict[str, str]:
    """Return id -> status of those of the tasks that exist, whichever initiative they belong to."""
    found = ((task_id, tx.value("SELECT status FROM tasks WHERE id = ?", (task_id,))) for task_id in task_ids)
    return {task_id: status for task_id, status in found if status is not None}
