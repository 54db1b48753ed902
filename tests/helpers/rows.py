"""Rows put straight into the database, as other programs do: with any time stamp, status and metadata."""

from __future__ import annotations

import json
from typing import Any

from taskcopilot.store.transaction import Tx
from tests.helpers.bridge import Core

AT = "2026-01-08T11:00:00.000Z"
"""An hour before the fake clock starts."""

INITIATIVE = "INIT-1"
PRD = "PRD-1"


async def put(core: Core, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows; metadata may be a dict."""

    def unit(tx: Tx) -> None:
        for row in rows:
            values = [json.dumps(value) if isinstance(value, dict) else value for value in row.values()]
            places = ", ".join("?" * len(values))
            tx.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", values)  # noqa: S608

    await core.recorder.record(unit)


def initiative(id_: str = INITIATIVE, *, at: str = AT) -> dict[str, Any]:
    """Return a row of `initiatives`; the one with the greatest time stamp is current."""
    return {"id": id_, "title": id_, "created_at": AT, "updated_at": at}


def prd(id_: str = PRD, initiative_id: str = INITIATIVE) -> dict[str, Any]:
    """Return a row of `prds`."""
    row = {"id": id_, "initiative_id": initiative_id, "title": id_, "content": "..."}
    return row | {"created_at": AT, "updated_at": AT}


def task(id_: str, stream: object = None, status: str = "pending", *, at: str = AT, **values: Any) -> dict[str, Any]:
    """Return a row of `tasks`, in a stream or in none, without a PRD unless it is given."""
    metadata = values.pop("metadata", {})
    if stream is not None:
        metadata = {"streamId": stream, **metadata}
    row = {"id": id_, "title": f"Title of {id_}", "status": status, "metadata": metadata}
    return row | {"created_at": at, "updated_at": at} | values


def product(id_: str, task_id: str, content: str) -> dict[str, Any]:
    """Return a row of `work_products`."""
    return {"id": id_, "task_id": task_id, "type": "other", "title": id_, "content": content, "created_at": AT}


def checkpoint(id_: str, task_id: str, sequence: int, *, at: str = AT, expires: str | None = None) -> dict[str, Any]:
    """Return a row of `checkpoints`."""
    row = {"id": id_, "task_id": task_id, "sequence": sequence, "trigger": "manual", "task_status": "in_progress"}
    return row | {"created_at": at, "expires_at": expires}


def at_work(task_id: str, stream: str, agent: str = "me", *, heartbeat: str = AT, **values: Any) -> dict[str, Any]:
    """Return a row of `agent_activity`."""
    row = {"id": f"ACTIVITY-{task_id}", "stream_id": stream, "agent_id": agent, "task_id": task_id}
    return row | {"started_at": AT, "last_heartbeat": heartbeat} | values
