"""What a change of tasks means for their stream: progress, completion, blockage, start."""

from __future__ import annotations

from datetime import datetime

from taskcopilot.events import StreamBlocked, StreamCompleted, StreamProgress, StreamStarted
from taskcopilot.model import whole
from taskcopilot.store import streams
from taskcopilot.store.streams import Counts
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["milliseconds_since", "report_progress", "report_start", "stream_name"]


def stream_name(tx: ReadTx, stream_id: str) -> str:
    """Return the display name that the stream's first task carries, by default its id."""
    name = decode_metadata(streams.first_metadata(tx, stream_id)).get("streamName")
    return name if isinstance(name, str) and name else stream_id


def milliseconds_since(tx: ReadTx, at: str) -> int:
    """Return the milliseconds from a stored time stamp to now; 0 for one that lies ahead or is no time."""
    try:
        passed = tx.now - datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return 0
    return max(0, round(passed.total_seconds() * 1000))


def report_start(tx: Tx, stream_id: str | None) -> None:
    """Emit `stream.started` when this is the first task of the stream that starts."""
    if stream_id is None or streams.find_run(tx, stream_id) is not None:
        return
    streams.start(tx, stream_id, tx.at)
    tx.emit(
        StreamStarted(
            stream_id=stream_id,
            stream_name=stream_name(tx, stream_id),
            total_tasks=streams.count(tx, stream_id).total,
            started_at=tx.at,
        )
    )


def report_progress(tx: Tx, stream_id: str | None) -> None:
    """Emit `stream.progress`, then `stream.completed` or `stream.blocked` where that is what it comes to."""
    if stream_id is None:
        return
    counts, name = streams.count(tx, stream_id), stream_name(tx, stream_id)
    tx.emit(_progress(tx, stream_id, name, counts))
    if counts.is_complete:
        tx.emit(_completed(tx, stream_id, name, counts))
        streams.complete(tx, stream_id)
    elif counts.blocked:
        tx.emit(_blocked(tx, stream_id, name))


def _progress(tx: ReadTx, stream_id: str, name: str, counts: Counts) -> StreamProgress:
    return StreamProgress(
        stream_id=stream_id,
        stream_name=name,
        total_tasks=counts.total,
        completed_tasks=counts.completed,
        in_progress_tasks=counts.in_progress,
        blocked_tasks=counts.blocked,
        cancelled_tasks=counts.cancelled,
        progress_percentage=whole(counts.percentage),
        last_updated=tx.at,
    )


def _completed(tx: ReadTx, stream_id: str, name: str, counts: Counts) -> StreamCompleted:
    run = streams.find_run(tx, stream_id)
    began = run.started_at if run else streams.first_created_at(tx, stream_id) or tx.at
    return StreamCompleted(
        stream_id=stream_id,
        stream_name=name,
        total_tasks=counts.total,
        completed_at=tx.at,
        duration=milliseconds_since(tx, began),
    )


def _blocked(tx: ReadTx, stream_id: str, name: str) -> StreamBlocked:
    blocked = streams.blocked_task_ids(tx, stream_id)
    return StreamBlocked(
        stream_id=stream_id,
        stream_name=name,
        blocked_reason=f"{len(blocked)} task(s) blocked",
        blocked_task_ids=blocked,
    )
