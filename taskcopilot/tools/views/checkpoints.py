"""GET /api/checkpoints: the newest checkpoint of a stream or of a task."""

from __future__ import annotations

import sqlite3

from taskcopilot.auth.access import View
from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.store import activity, task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import CheckpointTrigger, ToolOutput

__all__ = ["LatestCheckpoint", "latest_checkpoint"]


class LatestCheckpoint(ToolOutput):
    """A checkpoint, in short. Without a phase or step they are null."""

    checkpoint_id: str
    task_id: str
    sequence: int
    created_at: str
    trigger: CheckpointTrigger
    execution_phase: str | None
    execution_step: int | float | None


def latest_checkpoint(
    tx: ReadTx, *, stream_id: str | None = None, task_id: str | None = None, sight: View | None = None
) -> LatestCheckpoint:
    """Return the newest checkpoint that has not expired; a stream wins over a task.

    Raises InvalidArgumentError when neither is given, and NotFoundError with the detail `streamId` or `taskId`.
    """
    if stream_id is not None:
        row = activity.latest_checkpoint_of_stream(tx, stream_id)
        missing = NotFoundError("No checkpoint found for stream", field="streamId", streamId=stream_id)
    elif task_id is not None:
        row = activity.latest_checkpoint_of_task(tx, task_id)
        missing = NotFoundError("No checkpoint found for task", field="taskId", taskId=task_id)
    else:
        raise InvalidArgumentError("Must provide either streamId or taskId", field="streamId")
    if row is None or not (sight is None or sight.sees_task(row["task_id"], task_rows.stream_of(tx, row["task_id"]))):
        raise missing
    return _show(row)


def _show(row: sqlite3.Row) -> LatestCheckpoint:
    values = dict(row)
    return LatestCheckpoint(checkpoint_id=values.pop("id"), **values)
