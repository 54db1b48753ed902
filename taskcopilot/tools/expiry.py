"""Checkpoints whose time is over: removed and reported, by a sweep in the background or by a cleanup."""

from __future__ import annotations

from taskcopilot.events import CheckpointExpired
from taskcopilot.store import checkpoints
from taskcopilot.store.transaction import Tx

__all__ = ["expire", "expire_checkpoints"]


def expire_checkpoints(tx: Tx) -> int:
    """Remove expired checkpoints of all tasks, 500 at most, and report each; returns how many. A unit of work."""
    return expire(tx, None)


def expire(tx: Tx, task_id: str | None) -> int:
    """Do the same for one task, or for all."""
    rows = checkpoints.expired(tx, task_id)
    checkpoints.delete(tx, [row["id"] for row in rows])
    for row in rows:
        tx.emit(
            CheckpointExpired(
                checkpoint_id=row["id"], task_id=row["task_id"], sequence=row["sequence"], expired_at=row["expires_at"]
            )
        )
    return len(rows)
