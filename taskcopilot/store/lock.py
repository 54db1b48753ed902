"""Keeps writes and checkpoints of different connections apart, across processes.

SQLite 3.7.0 to 3.51.2 can corrupt a database when one connection writes to the WAL while another one's checkpoint
resets it (fixed in 3.51.3; the interpreters of today link older ones). So every write transaction holds this lock
shared, and every checkpoint holds it exclusively. Locks of a process that dies are gone with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

__all__ = ["Presence", "WriteLock"]


class _LockFile:
    """A file beside the database that nothing is written to."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Give the file back, and with it what is held of it; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextmanager
    def _held(self, operation: int) -> Iterator[None]:
        fcntl.flock(self._fd, operation)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _is_alone(self) -> bool:
        """Take the lock exclusively, or return False at once when somebody has it."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class WriteLock(_LockFile):
    """One lock file beside the database. Used from the writer's thread only; blocks it, never the event loop."""

    def writing(self) -> AbstractContextManager[None]:
        """Hold the lock shared: other writers are welcome, checkpoints wait."""
        return self._held(fcntl.LOCK_SH)

    def alone(self) -> AbstractContextManager[None]:
        """Hold the lock exclusively, however long that takes: for the one switch in a database's life."""
        return self._held(fcntl.LOCK_EX)

    @contextmanager
    def checkpointing(self) -> Iterator[bool]:
        """Hold the lock exclusively, or yield False at once when a writer is at work: a checkpoint can wait."""
        alone = self._is_alone()
        try:
            yield alone
        finally:
            if alone:
                fcntl.flock(self._fd, fcntl.LOCK_UN)


class Presence(_LockFile):
    """Says that a process has the database open, and finds out whether another one has. Gone with the process."""

    def __init__(self, database: Path) -> None:
        super().__init__(database.with_name(database.name + ".open"))

    def enter(self) -> None:
        """Be present until `close`. Waits while a restore is putting another file in the database's place."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    @contextmanager
    def nobody_else(self) -> Iterator[bool]:
        """Keep everybody out while the block runs; yield False at once when somebody is in."""
        alone = self._is_alone()
        try:
            yield alone
        finally:
            if alone:
                self.close()
