"""Rows of `agent_performance`: how the work of agents ended."""

from __future__ import annotations

from typing import Final, Literal

from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx

__all__ = ["Outcome", "write"]

Outcome = Literal["success", "failure", "blocked", "reassigned"]

_INSERT: Final = """
    INSERT INTO agent_performance (id, agent_id, task_id, work_product_type, complexity, outcome, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def write(tx: Tx, task: Task, agent_id: str, outcome: Outcome) -> None:
    """Credit an agent with the outcome of a task."""
    kind, complexity = (_text(task.metadata.get(key)) for key in ("workProductType", "complexity"))
    tx.execute(_INSERT, (tx.new_id(), agent_id, task.id, kind, complexity, outcome, tx.at))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
