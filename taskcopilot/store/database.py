"""Who owns the connections: one writer, a few readers, and the background checkpoint.

Only the recorder uses the writer. Readers see snapshots and never wait for the writer (WAL).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from taskcopilot.clock import Clock
from taskcopilot.errors import OutcomeUnknownError, StoreCorruptError, StoreError
from taskcopilot.events import Event
from taskcopilot.store import damage, event_log
from taskcopilot.store.connection import BUSY_TIMEOUT, Connection, wait_for_lock
from taskcopilot.store.event_log import LogState
from taskcopilot.store.event_rows import UNREADABLE
from taskcopilot.store.faults import translate
from taskcopilot.store.lock import Presence, WriteLock
from taskcopilot.store.migrations import migrate
from taskcopilot.store.transaction import ReadTx, Surroundings
from taskcopilot.workspace import Workspace, make_private

__all__ = ["Database"]

T = TypeVar("T")

_READERS: Final = 2
"""Reads are short; two threads keep a long page of replay from delaying a lookup."""

_SYNCHRONOUS: Final = {"full": "FULL", "normal": "NORMAL"}


class Database:
    """An open database file. Use `Database.open` as an async context manager: it closes on every path."""

    def __init__(self, workspace: Workspace, clock: Clock, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.workspace = workspace
        self.path = workspace.database
        self.clock = clock
        self.surroundings = Surroundings(clock, workspace)
        self.is_writable = True
        """False from a commit that failed with an I/O error until a write has succeeded again."""
        self.unreadable = 0
        """Times that a row of the log was read that cannot be delivered."""
        self._lock: WriteLock
        self._writer: Connection
        self._synchronous = ""
        self._busy_timeout = busy_timeout
        self._readers: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        workspace: Workspace,
        clock: Clock,
        *,
        durability: str = "full",
        busy_timeout: float = BUSY_TIMEOUT,
        check: bool = False,
    ) -> AsyncIterator[Database]:
        """Open and migrate the file, creating it (0600, in a directory of 0700) when it is not there.

        `durability`: `full` syncs every commit; `normal` may lose the last seconds in a power cut, never in a crash.
        `busy_timeout`: seconds to wait while another process holds the database. `check`: look for damage first, which
        reads the whole file. Raises StoreCorruptError when the file is damaged or no database, StoreError when it
        cannot be opened; the file is left as it was.
        """
        database = cls(workspace, clock, busy_timeout)
        async with contextlib.AsyncExitStack() as stack:
            try:
                await database._open(stack, _SYNCHRONOUS[durability], check)
            except (sqlite3.Error, StoreCorruptError) as error:
                raise damage.explain(error, database.path) from error
            except OSError as error:
                raise StoreError(f"cannot open {database.path}: {error.strerror}") from error
            yield database

    async def _open(self, stack: contextlib.AsyncExitStack, synchronous: str, check: bool) -> None:
        presence = await asyncio.to_thread(_prepare, self.path)
        stack.callback(presence.close)
        self._lock = WriteLock(self.path.with_name(self.path.name + ".lock"))
        stack.callback(self._lock.close)
        sound = check and await self._examine()
        self._synchronous = synchronous
        self._writer = await self._new_writer()
        stack.push_async_callback(self._close_writer)
        await self._writer.run(self._initialise, check and not sound)
        for _ in range(_READERS):
            reader = await Connection.reading(self.path, self._busy_timeout)
            stack.push_async_callback(reader.close)
            self._readers.put_nowait(reader)

    @property
    def wal_path(self) -> Path:
        """The write-ahead log: its metadata change when anybody commits."""
        return self.path.with_name(self.path.name + "-wal")

    async def write(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function on the writer's thread under the write lock. For the recorder only.

        After an OutcomeUnknownError nothing is run before `reopen` has succeeded: it is tried first, and its errors
        are raised.
        """
        if not self.is_writable:
            await self.reopen()
        try:
            return await self._locked(function, *arguments)
        except OutcomeUnknownError:
            self.is_writable = False
            raise

    async def reopen(self) -> None:
        """Write through a new connection after an I/O error, and prove with a commit that writing works again.

        Then the fate of the commit that failed is settled: what the log says now, it says after a crash too. Raises
        StoreError while the disk refuses; nothing is changed by that. For the recorder only.
        """
        try:
            fresh = await self._new_writer()
            stale, self._writer = self._writer, fresh
            with contextlib.suppress(sqlite3.Error):
                await stale.close()
            await self._locked(_prove)
        except sqlite3.Error as error:
            raise translate(error) from error
        self.is_writable = True

    async def read(self, unit: Callable[[ReadTx], T]) -> T:
        """Run a reading unit on one consistent snapshot; raises its errors, and StoreError for the database's."""
        return await self._on_reader(_read_unit, self.surroundings, unit)

    async def log_state(self) -> LogState:
        """Return the state of the event log."""
        return await self._on_reader(event_log.state)

    async def read_log(self, after: int, limit: int = event_log.PAGE) -> tuple[LogState, list[Event]]:
        """Return the state of the log and a page of events after `after`, of one snapshot."""
        state, events = await self._on_reader(_read_log, after, limit)
        self.unreadable += sum(event.type == UNREADABLE for event in events)
        return state, events

    async def read_log_before(self, before: int, limit: int = event_log.PAGE) -> list[Event]:
        """Return a page of events before a number, newest first."""
        return await self._on_reader(event_log.read_page_before, before, limit)

    async def checkpoint(self) -> bool:
        """Move the WAL into the database file; False when a writer was at work and it has to wait.

        Raises StoreError when the disk refuses; everything that was committed is still in the WAL then.
        """
        try:
            return await self._writer.run(self._checkpoint)
        except sqlite3.Error as error:
            raise translate(error) from error

    async def _examine(self) -> bool:
        """Look for damage through a connection that only reads: another one's close would move the WAL into the file.

        False when that cannot be told so, because a transaction of another journal mode has to be undone first.
        """
        reader = await Connection.reading(self.path, self._busy_timeout)
        try:
            await reader.run(damage.refuse)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                return False
            raise
        finally:
            await reader.close()
        return True

    async def _new_writer(self) -> Connection:
        return await Connection.writing(self.path, self._lock, self._synchronous, self._busy_timeout)

    async def _locked(self, function: Callable[..., T], *arguments: object) -> T:
        def locked(connection: sqlite3.Connection) -> T:
            with self._lock.writing():
                return function(connection, *arguments)

        return await self._writer.run(locked)

    async def _on_reader(self, function: Callable[..., T], *arguments: object) -> T:
        reader = await self._readers.get()
        try:
            return await reader.run(function, *arguments)
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            self._readers.put_nowait(reader)

    def _initialise(self, connection: sqlite3.Connection, check: bool) -> None:
        with self._lock.writing():
            if check:
                damage.refuse(connection)
            migrate(connection, self.clock)
            event_log.create(connection, self.clock.new_id())

    def _checkpoint(self, connection: sqlite3.Connection) -> bool:
        with self._lock.checkpointing() as alone:
            if alone:
                wait_for_lock(connection, 0)  # a reader that takes its time must not hold up writes
                try:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    wait_for_lock(connection, self._busy_timeout)
            return alone

    async def _close_writer(self) -> None:
        """Close under the lock that suits: the last connection's close is a checkpoint too."""
        with contextlib.suppress(sqlite3.Error):
            await self._writer.run(self._checkpoint)
        await self._writer.close()


def _prove(connection: sqlite3.Connection) -> None:
    """Commit a page that stays as it is: only a commit that was synced tells that commits work."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in (1, -1):  # SQLite writes nothing for a row that is given the values that it has
            connection.execute("UPDATE log_state SET head = head + ? WHERE id = 1", (step,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _read_unit(connection: sqlite3.Connection, surroundings: Surroundings, unit: Callable[[ReadTx], Any]) -> Any:
    connection.execute("BEGIN")
    try:
        return unit(ReadTx(connection, surroundings))
    finally:
        connection.execute("ROLLBACK")


def _read_log(connection: sqlite3.Connection, after: int, limit: int) -> tuple[LogState, list[Event]]:
    connection.execute("BEGIN")
    try:
        return event_log.state(connection), event_log.read_page(connection, after, limit)
    finally:
        connection.execute("ROLLBACK")


def _prepare(path: Path) -> Presence:
    """Make the directory and the file for their owner only, before SQLite would make them for everybody."""
    make_private(path.parent)
    presence = Presence(path)
    presence.enter()
    try:
        damage.refuse_orphaned_wal(path)
    except StoreCorruptError:
        presence.close()
        raise
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return presence
