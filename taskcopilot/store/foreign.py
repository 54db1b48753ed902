"""A database of another program, which is read and never written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from taskcopilot.errors import StoreError
from taskcopilot.store.connection import Connection
from taskcopilot.store.transaction import ReadTx, Surroundings

__all__ = ["ForeignFile"]

T = TypeVar("T")


class ForeignFile:
    """Reads on a connection and a thread of its own, one unit after the other. `close` ends both."""

    def __init__(self, path: Path, surroundings: Surroundings) -> None:
        self._path = path
        self._surroundings = surroundings
        self._connection: Connection | None = None

    async def read(self, unit: Callable[[ReadTx], T]) -> T:
        """Run a reading unit on one snapshot; raises StoreError when the file is not there or is no such database.

        The file is opened when it is first read, and anew after an error.
        """
        try:
            if self._connection is None:
                self._connection = await Connection.reading(self._path)
            return await self._connection.run(self._read, unit)
        except sqlite3.Error as error:
            await self.close()
            raise StoreError(f"cannot read {self._path}: {error}") from error

    async def close(self) -> None:
        """Close the file, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _read(self, connection: sqlite3.Connection, unit: Callable[[ReadTx], T]) -> T:
        connection.execute("BEGIN")
        try:
            return unit(ReadTx(connection, self._surroundings))
        finally:
            connection.execute("ROLLBACK")
