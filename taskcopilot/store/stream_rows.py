"""The tasks of streams as rows: what the stream tools and routes are made of."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from taskcopilot.store.transaction import ReadTx, Tx

__all__ = [
    "Scope",
    "archive",
    "claims_on_files",
    "exists",
    "listing",
    "oldest_in_progress",
    "prds_of",
    "revisions",
    "tasks_of",
    "token_usage",
    "token_usage_of",
    "unarchive",
]

_TASK: Final = (
    "id, prd_id, parent_id, title, description, assigned_agent, status, blocked_reason, notes, metadata, "
    "created_at, updated_at, archived, archived_at, archived_by_initiative_id"
)

_IN_INITIATIVE: Final = "prd_id IN (SELECT id FROM prds WHERE initiative_id = ?)"

_AT_HOME: Final = f"(prd_id IS NULL OR {_IN_INITIATIVE})"

_NOT_ARCHIVED: Final = "+tasks.archived = 0"
"""The sign keeps SQLite from its index on `archived`, which nearly all rows share."""

_LISTING: Final = """
    SELECT stream_id, status, blocked_reason, archived, metadata
    FROM tasks WHERE stream_id IS NOT NULL AND {condition}
    ORDER BY stream_id, created_at, id
"""

_USAGE: Final = """
    SELECT tasks.stream_id, sum(products.length) AS length
    FROM (SELECT task_id, sum(LENGTH(content)) AS length FROM work_products GROUP BY task_id) products
    JOIN tasks ON tasks.id = products.task_id
    WHERE tasks.stream_id IS NOT NULL AND {condition}
    GROUP BY tasks.stream_id
"""

_USAGE_OF_ONE: Final = """
    SELECT sum(LENGTH(content)) FROM work_products
    WHERE task_id IN (SELECT id FROM tasks WHERE stream_id = ? AND {condition})
"""

_ARCHIVE: Final = """
    UPDATE tasks SET archived = 1, archived_at = ?, archived_by_initiative_id = ?
    WHERE stream_id IS NOT NULL AND archived = 0 AND {condition}
    RETURNING stream_id
"""

_UNARCHIVE: Final = """
    UPDATE tasks SET archived = 0, archived_at = NULL, archived_by_initiative_id = NULL
    WHERE stream_id = ? AND archived = 1 AND {condition}
"""

_CLAIMS: Final = """
    SELECT stream_id, id, title, status, metadata FROM tasks
    WHERE status IN ('in_progress', 'completed') AND stream_id IS NOT NULL AND {condition}
    ORDER BY updated_at DESC, id
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which tasks count: an SQL condition written in this file, and its parameters."""

    condition: str = "1 = 1"
    parameters: tuple[Any, ...] = ()

    @classmethod
    def of(cls, initiative_id: str | None = None, prd_id: str | None = None) -> Scope:
        """Take the tasks of a PRD, which wins, or of an initiative's PRDs, or all."""
        if prd_id is not None:
            return cls("prd_id = ?", (prd_id,))
        return cls() if initiative_id is None else cls(_IN_INITIATIVE, (initiative_id,))

    @classmethod
    def at_home(cls, initiative_id: str | None) -> Scope:
        """Take the tasks of an initiative's PRDs and those without a PRD: they belong to whichever is current."""
        return cls() if initiative_id is None else cls(_AT_HOME, (initiative_id,))

    def visible(self, *, include_archived: bool) -> Scope:
        """Leave out archived tasks, unless they are asked for."""
        return self if include_archived else Scope(f"{self.condition} AND {_NOT_ARCHIVED}", self.parameters)


def exists(tx: ReadTx, stream_id: str) -> bool:
    """Tell whether any task, archived or not, is in the stream."""
    return tx.value("SELECT 1 FROM tasks WHERE stream_id = ? LIMIT 1", (stream_id,)) is not None


def listing(tx: ReadTx, scope: Scope) -> list[sqlite3.Row]:
    """Return what summaries of streams need of each task in scope, stream by stream, each oldest first."""
    return tx.all(_LISTING.format(condition=scope.condition), scope.parameters)


def revisions(tx: ReadTx) -> dict[str, int]:
    """Return stream -> a number that moves whenever a task of it, or what its tasks produced, changes.

    Streams that have lost all their tasks are among them. Triggers keep it, whichever program writes.
    """
    return dict(tx.all("SELECT stream_id, revision FROM stream_revisions"))  # type: ignore[arg-type]


def prds_of(tx: ReadTx, initiative_id: str) -> set[str]:
    """Return the PRDs of an initiative."""
    return {row["id"] for row in tx.all("SELECT id FROM prds WHERE initiative_id = ?", (initiative_id,))}


def tasks_of(tx: ReadTx, stream_id: str, scope: Scope) -> list[sqlite3.Row]:
    """Return the tasks of a stream that are in scope, oldest first."""
    return tx.all(
        f"SELECT {_TASK} FROM tasks WHERE stream_id = ? AND {scope.condition} ORDER BY created_at, id",  # noqa: S608
        (stream_id, *scope.parameters),
    )


def token_usage(tx: ReadTx, scope: Scope) -> dict[str, int]:
    """Return stream -> characters of the work products of its tasks in scope."""
    rows = tx.all(_USAGE.format(condition=scope.condition), scope.parameters)
    return {row["stream_id"]: row["length"] for row in rows}


def token_usage_of(tx: ReadTx, stream_id: str, scope: Scope) -> int:
    """Return the characters of the work products of one stream's tasks in scope."""
    return tx.value(_USAGE_OF_ONE.format(condition=scope.condition), (stream_id, *scope.parameters)) or 0


def oldest_in_progress(tx: ReadTx, stream_id: str) -> str | None:
    """Return the task that the stream is at: its oldest one in progress, archived ones included."""
    return tx.value(  # type: ignore[no-any-return]
        "SELECT id FROM tasks WHERE stream_id = ? AND status = 'in_progress' ORDER BY created_at, id LIMIT 1",
        (stream_id,),
    )


def claims_on_files(tx: ReadTx, scope: Scope, exclude: str | None) -> list[sqlite3.Row]:
    """Return the tasks in streams that have touched or are touching files, archived or not, newest change first."""
    condition, parameters = scope.condition, scope.parameters
    if exclude is not None:
        condition, parameters = f"{condition} AND stream_id <> ?", (*parameters, exclude)
    return tx.all(_CLAIMS.format(condition=condition), parameters)


def archive(tx: Tx, scope: Scope, archived_by: str) -> list[str]:
    """Archive the tasks of streams that are in scope; return the stream of each."""
    rows = tx.all(_ARCHIVE.format(condition=scope.condition), (tx.at, archived_by, *scope.parameters))
    return [row["stream_id"] for row in rows]


def unarchive(tx: Tx, stream_id: str, scope: Scope) -> int:
    """Bring back the archived tasks of a stream that are in scope; return how many."""
    return tx.execute(_UNARCHIVE.format(condition=scope.condition), (stream_id, *scope.parameters))
