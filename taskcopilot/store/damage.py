"""How a damaged database is recognised before anything is written to it, and what its owner is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from taskcopilot.errors import StoreCorruptError
from taskcopilot.store.faults import translate

__all__ = ["explain", "refuse", "refuse_orphaned_wal"]


def refuse_orphaned_wal(path: Path) -> None:
    """Refuse an empty or missing file beside a WAL with data: SQLite would remove the WAL, and all that is in it.

    Raises StoreCorruptError.
    """
    wal = path.with_name(path.name + "-wal")
    if _size(wal) and not _size(path):  # in this order: a database that is just being made has a page before its WAL
        raise StoreCorruptError(f"the file is empty or missing, and {wal.name} beside it is not")


def refuse(connection: sqlite3.Connection) -> None:
    """Read the whole file; raise StoreCorruptError, or SQLite's own error, when its structure is damaged.

    Only reads. Changed bytes inside of a value are not found here, but by `taskcopilot doctor`.
    """
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise StoreCorruptError(problem.splitlines()[-1])


def explain(error: Exception, path: Path) -> BaseException:
    """Turn what opening a file raised into the bridge's error: of a damaged one, in one line, which and what to do."""
    problem = translate(error)
    if not isinstance(problem, StoreCorruptError):
        return problem
    return StoreCorruptError(
        f"{path} is damaged: {error}. It was left as it is; `taskcopilot restore` puts a backup in its place"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
