"""GET /api/activity: which agents are at work."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Final

from taskcopilot.auth.access import View
from taskcopilot.clock import iso
from taskcopilot.store import activity, task_rows
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.agent_names import agent_name
from taskcopilot.tools.fields import Omittable, ToolOutput

__all__ = ["ACTIVE_FOR", "AgentActivities", "AgentActivity", "list_activity"]

ACTIVE_FOR: Final = timedelta(minutes=5)
"""How long after a heartbeat an agent counts as active."""

_ENDED: Final = frozenset({"completed", "cancelled", "pending"})


class AgentActivity(ToolOutput):
    """An agent at work on a task. Without a recent heartbeat, or with its task at an end, it is not active."""

    stream_id: str
    stream_name: str
    agent_id: str
    agent_name: str
    task_id: str
    task_title: str
    activity_description: Omittable[str]
    phase: Omittable[str]
    started_at: str
    last_heartbeat: str
    is_active: bool


class AgentActivities(ToolOutput):
    """The agents at work, latest heartbeat first, and how many of this list are active or idle."""

    activities: list[AgentActivity]
    total_active: int
    total_idle: int


def list_activity(
    tx: ReadTx, *, stream_id: str | None = None, unfinished_only: bool = True, sight: View | None = None
) -> AgentActivities:
    """Return the agents at work, of one stream or all; those who are done too unless `unfinished_only`."""
    rows = activity.agents_at_work(tx, stream_id=stream_id, unfinished_only=unfinished_only)
    if sight is not None:
        stream_of = task_rows.streams(tx)
        rows = [row for row in rows if sight.sees_task(row["task_id"], stream_of.get(row["task_id"]))]
    active_since = iso(tx.now - ACTIVE_FOR)
    activities = [_show(row, active_since) for row in rows]
    active = sum(shown.is_active for shown in activities)
    return AgentActivities(activities=activities, total_active=active, total_idle=len(activities) - active)


def _show(row: sqlite3.Row, active_since: str) -> AgentActivity:
    name = decode_metadata(row["metadata"]).get("streamName")
    ended = row["completed_at"] is not None or row["status"] in _ENDED
    return AgentActivity(
        stream_id=row["stream_id"],
        stream_name=name if isinstance(name, str) and name else row["stream_id"],
        agent_id=row["agent_id"],
        agent_name=agent_name(row["agent_id"]),
        task_id=row["task_id"],
        task_title=row["task_title"],
        activity_description=row["activity_description"] or None,
        phase=row["phase"] or None,
        started_at=row["started_at"],
        last_heartbeat=row["last_heartbeat"],
        is_active=not ended and row["last_heartbeat"] > active_since,
    )
