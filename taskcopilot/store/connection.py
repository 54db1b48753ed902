"""One SQLite connection on a thread of its own: the only place that reaches into aiosqlite.

aiosqlite has no public call that runs a whole function on its thread, and statement by statement is twelve times
slower (840 us against 70 us a unit, measured). Its thread is no daemon: a connection that is not closed keeps the
process alive, so whoever opens one closes it on every path.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiosqlite

from taskcopilot.store.lock import WriteLock

__all__ = ["BUSY_TIMEOUT", "Connection", "wait_for_lock"]

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5.0
"""Seconds that a statement waits for another process's lock before it is told that the database is busy."""

_STATEMENT_CACHE: Final = 512


class Connection:
    """Runs functions on the connection's thread, one after the other, in the order of the calls."""

    def __init__(self, inner: aiosqlite.Connection) -> None:
        self._inner = inner

    @classmethod
    async def reading(cls, path: Path, patience: float = BUSY_TIMEOUT) -> Connection:
        """Open a file that is there; raises sqlite3.Error. The connection never writes and never checkpoints.

        `patience`: seconds that a statement waits for the lock of another process.
        """
        return await cls._open(path, "ro", patience, _configure_reader)

    @classmethod
    async def writing(cls, path: Path, lock: WriteLock, synchronous: str, patience: float = BUSY_TIMEOUT) -> Connection:
        """Open a file, or make it; raises sqlite3.Error. Checkpoints happen only when they are asked for."""
        return await cls._open(path, "rwc", patience, _configure_writer, lock, synchronous)

    @classmethod
    async def _open(
        cls, path: Path, mode: str, patience: float, configure: Callable[..., None], *arguments: object
    ) -> Connection:
        inner = await aiosqlite.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            isolation_level=None,
            cached_statements=_STATEMENT_CACHE,
            timeout=patience,
        )
        connection = cls(inner)
        try:
            await connection.run(_configure)
            await connection.run(configure, *arguments)
        except BaseException:
            await inner.close()
            raise
        return connection

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function(connection, *arguments)` on the thread and return its result or raise its error.

        Cancelling the caller does not stop the function: it runs to its end and its result is dropped.
        """
        execute: Any = self._inner._execute  # noqa: SLF001
        return await execute(function, self._inner._conn, *arguments)  # type: ignore[no-any-return]  # noqa: SLF001

    async def close(self) -> None:
        """Close the connection and end its thread; idempotent."""
        await self._inner.close()


def wait_for_lock(connection: sqlite3.Connection, seconds: float) -> None:
    """Set how long statements of a connection wait from now on; on the connection's thread."""
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def _configure(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA temp_store = MEMORY")  # a call must not fail for want of a descriptor, or of /var/tmp


def _configure_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _configure_writer(connection: sqlite3.Connection, lock: WriteLock, synchronous: str) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        with lock.alone():  # of two that switch at once, one is told "busy" without any waiting
            connection.execute("PRAGMA journal_mode = WAL")
