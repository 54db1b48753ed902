"""Streams have no table of their own: a stream is the set of tasks whose `stream_id` it is, plus when it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = [
    "Counts",
    "Run",
    "blocked_task_ids",
    "complete",
    "count",
    "declared_dependencies",
    "find_run",
    "first_created_at",
    "first_metadata",
    "start",
]

_COUNT: Final = """
    SELECT status, count(*) AS tasks FROM tasks WHERE stream_id = ? AND archived = 0 GROUP BY status
"""

_NAME: Final = """
    SELECT metadata FROM tasks WHERE stream_id = ? ORDER BY archived, created_at, id LIMIT 1
"""


_DEPENDENCIES: Final = """
    SELECT DISTINCT stream_dependencies FROM tasks
    WHERE stream_id = ? AND archived = 0 AND stream_dependencies IS NOT NULL AND id <> ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tasks of a stream, archived ones aside, are in each status."""

    pending: int = 0
    in_progress: int = 0
    blocked: int = 0
    completed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """The tasks that count: a cancelled one no longer keeps its stream from completing."""
        return self.pending + self.in_progress + self.blocked + self.completed

    @property
    def is_complete(self) -> bool:
        """True when there are tasks, and every one that counts is completed."""
        return 0 < self.total == self.completed

    @property
    def percentage(self) -> float:
        """The completed share of the total, 0 to 100, unrounded; 0 without tasks."""
        return self.completed / self.total * 100 if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """When a stream's first task started, and when it was last complete."""

    started_at: str
    completed_at: str | None


def count(tx: ReadTx, stream_id: str) -> Counts:
    """Count the tasks of a stream over all initiatives, also those without a PRD."""
    return Counts(**{row["status"]: row["tasks"] for row in tx.all(_COUNT, (stream_id,))})


def blocked_task_ids(tx: ReadTx, stream_id: str) -> list[str]:
    """Return the blocked tasks of a stream, oldest first."""
    rows = tx.all(
        "SELECT id FROM tasks WHERE stream_id = ? AND archived = 0 AND status = 'blocked' ORDER BY created_at, id",
        (stream_id,),
    )
    return [row["id"] for row in rows]


def find_run(tx: ReadTx, stream_id: str) -> Run | None:
    """Return when the stream ran, or None when it never started here."""
    row = tx.one("SELECT started_at, completed_at FROM stream_runs WHERE stream_id = ?", (stream_id,))
    return None if row is None else Run(row["started_at"], row["completed_at"])


def start(tx: Tx, stream_id: str, at: str) -> None:
    """Note when the stream started, once."""
    tx.execute(
        "INSERT INTO stream_runs (stream_id, started_at) VALUES (?, ?) ON CONFLICT (stream_id) DO NOTHING",
        (stream_id, at),
    )


def complete(tx: Tx, stream_id: str) -> None:
    """Note that the stream is complete as of now."""
    tx.execute("UPDATE stream_runs SET completed_at = ? WHERE stream_id = ?", (tx.at, stream_id))


def first_created_at(tx: ReadTx, stream_id: str) -> str | None:
    """Return when the stream's oldest task was created."""
    return tx.value("SELECT min(created_at) FROM tasks WHERE stream_id = ?", (stream_id,))  # type: ignore[no-any-return]


def first_metadata(tx: ReadTx, stream_id: str) -> str | None:
    """Return the metadata of the stream's first task: it names the stream."""
    return tx.value(_NAME, (stream_id,))  # type: ignore[no-any-return]


def declared_dependencies(tx: ReadTx, stream_id: str, but: str | None = None) -> list[str]:
    """Return what the tasks of a stream, archived ones aside, say that it waits for: each text once, as JSON.

    `but` names a task to leave out.
    """
    return [row["stream_dependencies"] for row in tx.all(_DEPENDENCIES, (stream_id, but or ""))]
