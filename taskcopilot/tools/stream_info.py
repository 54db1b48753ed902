"""A stream as it is shown, in short and in full: one reading of its tasks for tools and routes.

The counts are those of `store.streams.Counts`, so that lists, details and events agree: the total leaves cancelled
tasks out.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from taskcopilot.errors import NotFoundError
from taskcopilot.model import whole
from taskcopilot.store.streams import Counts
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.tools.fields import Omittable, ToolOutput
from taskcopilot.tools.stream_rules import PHASES, dependencies_of
from taskcopilot.tools.task_view import TaskView, shown

__all__ = [
    "StreamDetail",
    "StreamInfo",
    "StreamPhase",
    "StreamStatus",
    "Summary",
    "status_of",
    "stream_not_found",
    "text",
    "texts",
]

StreamPhase = Literal["foundation", "parallel", "integration"]

StreamStatus = Literal["pending", "in_progress", "blocked", "completed"]

_DEFAULT_PHASE: Final = "parallel"

_CHARACTERS_PER_TOKEN: Final = 4

_NO_REASON: Final = "Unknown"
"""What `task.blocked` says as well when nobody gave a reason."""


class StreamInfo(ToolOutput):
    """A stream in short. `totalTasks` leaves cancelled tasks out, `blockedReason` is the oldest blocked task's."""

    stream_id: str
    stream_name: str
    stream_phase: StreamPhase
    total_tasks: int
    completed_tasks: int
    in_progress_tasks: int
    blocked_tasks: int
    pending_tasks: int
    files: list[str]
    stream_paths: list[str]
    dependencies: list[str]
    token_budget: Omittable[int | float]
    token_usage: int
    over_budget: bool
    worktree_path: Omittable[str]
    branch_name: Omittable[str]
    progress_percentage: int
    cancelled_tasks: int
    status: StreamStatus
    blocked_reason: Omittable[str]


class StreamDetail(ToolOutput):
    """A stream with its tasks, oldest first. `archived` is that of the first task."""

    stream_id: str
    stream_name: str
    stream_phase: StreamPhase
    tasks: list[TaskView]
    dependencies: list[str]
    status: StreamStatus
    token_budget: Omittable[int | float]
    token_usage: int
    over_budget: bool
    worktree_path: Omittable[str]
    branch_name: Omittable[str]
    archived: bool
    archived_at: Omittable[str]
    archived_by_initiative_id: Omittable[str]
    progress_percentage: int
    total_tasks: int
    completed_tasks: int
    in_progress_tasks: int
    blocked_tasks: int
    pending_tasks: int
    cancelled_tasks: int
    blocked_reason: Omittable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the tasks of a stream say about it. Name, phase and worktree are those of its first task."""

    stream_id: str
    name: str
    phase: StreamPhase
    counts: Counts
    files: list[str]
    paths: list[str]
    dependencies: list[str]
    token_budget: int | float | None
    worktree_path: str | None
    branch_name: str | None
    blocked_reason: str | None

    @classmethod
    def of(cls, stream_id: str, tasks: Sequence[sqlite3.Row]) -> Summary:
        """Sum up at least one task; they come oldest first, with status, blocked_reason, archived and metadata.

        The first task is the oldest that is not archived, where there is one: the one that events name the stream by.
        """
        metadata = [decode_metadata(task["metadata"]) for task in tasks]
        first = next((data for data, task in zip(metadata, tasks, strict=True) if not task["archived"]), metadata[0])
        blocked = (task["blocked_reason"] or _NO_REASON for task in tasks if task["status"] == "blocked")
        return cls(
            stream_id=stream_id,
            name=text(first, "streamName") or stream_id,
            phase=_phase(first),
            counts=Counts(**Counter(task["status"] for task in tasks)),
            files=_distinct(texts(data, "files") for data in metadata),
            paths=_distinct(texts(data, "streamPaths") for data in metadata),
            dependencies=_distinct(dependencies_of(data) for data in metadata),
            token_budget=_largest_budget(metadata),
            worktree_path=text(first, "worktreePath"),
            branch_name=text(first, "branchName"),
            blocked_reason=next(blocked, None),
        )

    def info(self, characters: int) -> StreamInfo:
        """Show the stream in short; `characters` is the length of what its tasks produced."""
        return StreamInfo(**self._common(characters), files=self.files, stream_paths=self.paths)

    def detail(self, tasks: Sequence[sqlite3.Row], characters: int) -> StreamDetail:
        """Show the stream with the tasks that it was summed up from."""
        first = tasks[0]
        archived = bool(first["archived"])
        return StreamDetail(
            **self._common(characters),
            tasks=[TaskView(**task) for task in shown(tasks)],
            archived=archived,
            archived_at=first["archived_at"] if archived else None,
            archived_by_initiative_id=first["archived_by_initiative_id"] if archived else None,
        )

    def _common(self, characters: int) -> dict[str, Any]:
        usage = math.ceil(characters / _CHARACTERS_PER_TOKEN)
        return {
            "stream_id": self.stream_id,
            "stream_name": self.name,
            "stream_phase": self.phase,
            "total_tasks": self.counts.total,
            "completed_tasks": self.counts.completed,
            "in_progress_tasks": self.counts.in_progress,
            "blocked_tasks": self.counts.blocked,
            "pending_tasks": self.counts.pending,
            "cancelled_tasks": self.counts.cancelled,
            "progress_percentage": math.floor(self.counts.percentage + 0.5),
            "dependencies": self.dependencies,
            "status": status_of(self.counts),
            "blocked_reason": self.blocked_reason,
            "token_budget": self.token_budget,
            "token_usage": usage,
            "over_budget": self.token_budget is not None and usage > self.token_budget,
            "worktree_path": self.worktree_path,
            "branch_name": self.branch_name,
        }


def status_of(counts: Counts) -> StreamStatus:
    """Return what the tasks come to. Cancelled ones do not count; a stream of nothing else is pending."""
    if counts.is_complete:
        return "completed"
    if counts.blocked:
        return "blocked"
    return "in_progress" if counts.in_progress else "pending"


def stream_not_found(stream_id: str) -> NotFoundError:
    """Return the error for a stream that has no task, or none that may be shown."""
    return NotFoundError("Stream not found", field="streamId", streamId=stream_id)


def text(metadata: Mapping[str, Any], key: str) -> str | None:
    """Return a text of the metadata; anything else counts as absent, because anybody may have written it."""
    value = metadata.get(key)
    return value if isinstance(value, str) and value else None


def texts(metadata: Mapping[str, Any], key: str) -> list[str]:
    """Return the texts of a list of the metadata."""
    value = metadata.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _phase(metadata: Mapping[str, Any]) -> StreamPhase:
    phase = metadata.get("streamPhase")
    return cast("StreamPhase", phase if phase in PHASES else _DEFAULT_PHASE)


def _distinct(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))


def _largest_budget(metadata: Sequence[Mapping[str, Any]]) -> int | float | None:
    values = (data.get("streamTokenBudget") for data in metadata)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    largest = max((number for number in numbers if math.isfinite(number)), default=0)
    return whole(largest) if largest > 0 else None
