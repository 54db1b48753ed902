"""Turns what SQLite says into the error tree, so that nothing above the store knows about result codes."""

from __future__ import annotations

import sqlite3
from typing import Final

from taskcopilot.errors import (
    BridgeError,
    OutcomeUnknownError,
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
)

__all__ = ["translate"]

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def translate(error: BaseException, *, committing: bool = False) -> BaseException:
    """Return the bridge's error for a database error; anything else comes back as it is.

    `committing`: the fault hit COMMIT itself. Then an I/O error means that nobody knows whether the change is saved
    (measured: a commit that failed in fsync was in the table after a restart).
    """
    if isinstance(error, BridgeError) or not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StoreBusyError("another process holds the database; nothing was changed; try again")
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError("no space left for the database; nothing was changed")
    if code in _CORRUPT:
        return StoreCorruptError(f"the database file is damaged: {error}")
    if code == sqlite3.SQLITE_IOERR and committing:
        return OutcomeUnknownError("the commit failed with an I/O error: the change may or may not be saved")
    return StoreError(f"the database refused the call: {error}")
