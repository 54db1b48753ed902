"""Steps on the way to a state that a test of the tools is about."""

from __future__ import annotations

from typing import Any

from taskcopilot.events import TaskStatus
from taskcopilot.store.transaction import ReadTx, Tx
from tests.helpers.bridge import Core

__all__ = ["diary", "execute", "new_task", "rows", "set_status"]


async def new_task(bridge: Core, title: str = "t", **arguments: Any) -> str:
    """Create a task and return its id."""
    return str((await bridge.call("task_create", title=title, **arguments))["id"])


async def set_status(bridge: Core, status: TaskStatus, *task_ids: str) -> None:
    """Write a status into tasks, without the rules and events of an update."""

    def write(tx: Tx) -> None:
        for task_id in task_ids:
            tx.execute("UPDATE tasks SET status = ?, updated_at = ? WHERE id = ?", (status, tx.at, task_id))

    await bridge.recorder.record(write)


async def execute(bridge: Core, sql: str, *parameters: Any) -> None:
    """Write into the database what no tool writes."""

    def write(tx: Tx) -> None:
        tx.execute(sql, parameters)

    await bridge.recorder.record(write)


async def rows(bridge: Core, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return rows of the database."""

    def read(tx: ReadTx) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in tx.all(sql, parameters)]

    return await bridge.database.read(read)


async def diary(bridge: Core, initiative_id: str) -> list[tuple[Any, ...]]:
    """Return (type, entity, entity type, summary) of an initiative's diary, oldest first."""
    return await rows(
        bridge,
        "SELECT type, entity_id, entity_type, summary FROM activity_log WHERE initiative_id = ? ORDER BY created_at",
        initiative_id,
    )
