"""What `taskcopilot top` shows: the workspace at one moment, read in one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from taskcopilot.clock import iso
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.store import task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.stream_info import StreamInfo
from taskcopilot.tools.task_view import TaskView, shown
from taskcopilot.tools.views.activity import AgentActivity, list_activity
from taskcopilot.tools.views.streams import all_streams

__all__ = ["Overview", "read"]

RECENT: Final = timedelta(minutes=1)
"""How far back the rate of events looks; of a page of the log at most."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The workspace at event `seq`. `events` are the newest first; `rate` counts those of the last minute."""

    workspace: str
    at: datetime
    seq: int
    counts: Mapping[str, int]
    streams: list[StreamInfo]
    blocked: list[TaskView]
    agents: list[AgentActivity]
    events: list[Event]
    rate: int

    @property
    def total(self) -> int:
        """The tasks that count: all but the cancelled ones."""
        return sum(self.counts.values()) - self.counts.get("cancelled", 0)

    @property
    def percentage(self) -> int:
        """How much is done, rounded down; 0 without tasks."""
        return 100 * self.counts.get("completed", 0) // self.total if self.total else 0

    def waits_for(self, stream: StreamInfo) -> list[str]:
        """Return the names of the unfinished streams that a stream needs; the id of one that does not exist."""
        known = {each.stream_id: each for each in self.streams}
        needed = [known.get(name, name) for name in stream.dependencies]
        return [
            each if isinstance(each, str) else each.stream_name
            for each in needed
            if isinstance(each, str) or each.status != "completed"
        ]

    def as_json(self) -> dict[str, Any]:
        """Return what a program may want of it, in the shapes of the HTTP routes."""
        return {
            "workspace": self.workspace,
            "at": iso(self.at),
            "seq": self.seq,
            "progressPercentage": self.percentage,
            "tasks": dict(self.counts),
            "eventsPerMinute": self.rate,
            "streams": [stream.model_dump(mode="json", by_alias=True) for stream in self.streams],
            "blocked": [task.model_dump(mode="json", by_alias=True) for task in self.blocked],
            "agents": [agent.model_dump(mode="json", by_alias=True) for agent in self.agents],
        }


async def read(core: Core) -> Overview:
    """Read the workspace as of now."""
    overview = await core.database.read(partial(_state, core.workspace.id))
    events = await core.database.read_log_before(overview["seq"] + 1)
    since = iso(overview["at"] - RECENT)
    return Overview(**overview, events=events, rate=sum(event.at > since for event in events))


def _state(workspace: str, tx: ReadTx) -> dict[str, Any]:
    tasks = task_rows.newest(tx, where={})
    blocked = shown([task for task in tasks if task["status"] == "blocked"])
    return {
        "workspace": workspace,
        "at": tx.now,
        "seq": tx.value("SELECT head FROM log_state WHERE id = 1"),
        "counts": Counter(task["status"] for task in tasks),
        "streams": all_streams(tx),
        "blocked": [TaskView(**task) for task in blocked],
        "agents": list_activity(tx).activities,
    }
