"""Copies of a database: taken while it is in use, and put in its place when nobody uses it.

A restored log gets a new epoch: its numbers will be given out a second time, with other content, and a cursor from
before must not be taken for one of them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from taskcopilot.clock import Clock, iso
from taskcopilot.errors import ConflictError, InvalidArgumentError, StoreCorruptError, StoreError
from taskcopilot.store import event_log
from taskcopilot.store.faults import translate
from taskcopilot.store.lock import Presence
from taskcopilot.store.migrations import migrate
from taskcopilot.workspace import make_private

__all__ = ["back_up", "restore"]


def back_up(database: Path, copy: Path) -> int:
    """Write a consistent copy (0600) of a database that may be in use, and return its size in bytes.

    Raises InvalidArgumentError when the copy exists or the database does not, StoreError when it cannot be written;
    then nothing is left behind.
    """
    if copy.exists():
        raise InvalidArgumentError(f"{copy} is there already; a backup never replaces a file", field="FILE")
    _refuse_missing(database)
    with _temporary(copy) as temporary:
        _copy(database, temporary)
        os.link(temporary, copy)
    return copy.stat().st_size


def restore(copy: Path, database: Path, clock: Clock) -> Path | None:
    """Put a copy in the place of the database, with a new epoch; returns where the replaced database was moved to.

    Raises ConflictError while any process has the database open, InvalidArgumentError when the copy is no sound
    database of ours; then nothing is changed.
    """
    _refuse_missing(copy)
    make_private(database.parent)
    with Presence(database).nobody_else() as alone, _temporary(database) as temporary:
        if not alone:
            raise ConflictError(f"{database} is in use; stop the processes that have it open first")
        try:
            _copy(copy, temporary)
        except StoreCorruptError as error:
            raise InvalidArgumentError(f"{copy} is no sound database", field="FILE") from error
        _renew(temporary, copy, clock)
        replaced = _move_away(database, clock)
        temporary.replace(database)
    return replaced


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise InvalidArgumentError(f"{path} is not there", field="FILE")


@contextlib.contextmanager
def _temporary(beside: Path) -> Iterator[Path]:
    """Make an empty file for its owner only, where it will be needed; remove it if it is still there at the end."""
    path = beside.with_name(f".{beside.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot write to {beside.parent}: {error.strerror}") from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy page by page in one reading transaction: writers go on meanwhile."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as reading,
            contextlib.closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise translate(error) from error


def _renew(path: Path, source: Path, clock: Clock) -> None:
    """Check the copy, bring it up to date, and give its log a new epoch."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = DELETE")
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                raise InvalidArgumentError(f"{source} is damaged", field="FILE")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tasks'").fetchone():
                raise InvalidArgumentError(f"{source} is no database of tasks", field="FILE")
            migrate(connection, clock)
            event_log.create(connection, clock.new_id())
            connection.execute("UPDATE log_state SET epoch = ? WHERE id = 1", (clock.new_id(),))
    except sqlite3.Error as error:
        raise InvalidArgumentError(f"{source} is no sound database: {error}", field="FILE") from error


def _move_away(database: Path, clock: Clock) -> Path | None:
    """Keep what is replaced, with everything that its WAL still holds; None when there was nothing."""
    stamp = iso(clock.now()).replace(":", "").replace(".", "")
    replaced = database.with_name(f"{database.name}.replaced-{stamp}")
    if _size(database):  # beside an empty file SQLite would remove the WAL
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    wal = _beside(database, "-wal")
    if _size(wal):  # it could not be moved into a damaged file, and must not be taken for that of the new one
        wal.replace(_beside(replaced, "-wal"))
    for suffix in ("-wal", "-shm"):
        _beside(database, suffix).unlink(missing_ok=True)
    if not database.exists():
        return None
    database.replace(replaced)
    return replaced


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
