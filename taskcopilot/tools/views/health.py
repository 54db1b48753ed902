"""GET /api/streams/:id/health: whether somebody is still at work on a stream."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from taskcopilot.auth.access import View
from taskcopilot.store import activity, stream_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import ToolOutput
from taskcopilot.tools.stream_info import stream_not_found

__all__ = ["StreamHealth", "stream_health"]

STALE_AFTER: Final = 600
"""Seconds without activity, or without a checkpoint, that are worth a warning."""

_NO_CHECKPOINT: Final = "No checkpoint in 10+ minutes"
_NO_ACTIVITY: Final = "Task in_progress but no activity for 10+ minutes"


class StreamHealth(ToolOutput):
    """The health of a stream; what there is none of is null. Ages are in whole seconds."""

    stream_id: str
    healthy: bool
    current_task: str | None
    task_status: Literal["in_progress"] | None
    last_activity: str | None
    last_checkpoint: str | None
    current_checkpoint: str | None
    time_since_activity: int | None
    time_since_checkpoint: int | None
    warnings: list[str]


def stream_health(tx: ReadTx, stream_id: str, *, sight: View | None = None) -> StreamHealth:
    """Return the health of a stream, archived or not; raises NotFoundError with the detail `streamId`.

    Activity is the latest of: a diary row about the stream or its tasks, a change of a task, a heartbeat of an agent.
    The original knew the diary only, which has nothing of tasks without a PRD: those were never healthy.
    """
    if not stream_rows.exists(tx, stream_id) or not (sight is None or sight.sees_stream(stream_id)):
        raise stream_not_found(stream_id)
    current = stream_rows.oldest_in_progress(tx, stream_id)
    last_activity = activity.last_activity_of_stream(tx, stream_id)
    checkpoint = activity.latest_checkpoint_of_stream(tx, stream_id)
    last_checkpoint = None if checkpoint is None else checkpoint["created_at"]
    ages = _age(tx, last_activity), _age(tx, last_checkpoint)
    stuck = current is not None and _is_stale(ages[0])
    return StreamHealth(
        stream_id=stream_id,
        healthy=not stuck,
        current_task=current,
        task_status=None if current is None else "in_progress",
        last_activity=last_activity,
        last_checkpoint=last_checkpoint,
        current_checkpoint=None if checkpoint is None else checkpoint["id"],
        time_since_activity=ages[0],
        time_since_checkpoint=ages[1],
        warnings=[text for text, holds in ((_NO_CHECKPOINT, _is_stale(ages[1])), (_NO_ACTIVITY, stuck)) if holds],
    )


def _age(tx: ReadTx, at: str | None) -> int | None:
    """Return the whole seconds since a stored time stamp, 0 for one that lies ahead, None for none."""
    try:
        return None if at is None else max(0, int((tx.now - datetime.fromisoformat(at)).total_seconds()))
    except (ValueError, TypeError):
        return None


def _is_stale(age: int | None) -> bool:
    return age is None or age > STALE_AFTER
