"""Keeps writes and checkpoints of different connections apart, across processes.

SQLite 3.7.0 to 3.51.2 can corrupt a database when one connection writes to the WAL while another one's checkpoint
resets it (fixed in 3.51.3; the interpreters of today link older ones). So every write transaction holds this lock
shared, and every checkpoint holds it exclusively. Locks of a process that dies are gone with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Presence", "WriteLock"]


class WriteLock:
    """One lock file beside the database. Used from the writer's thread only; blocks it, never the event loop."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock shared: other writers are welcome, checkpoints wait."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock exclusively, however long that takes: for the one switch in a database's life."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def checkpointing(self) -> Iterator[bool]:
        """Hold the lock exclusively, or yield False at once when a writer is at work: a checkpoint can wait."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock file back; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Presence:
    """Says that a process has the database open, and finds out whether another one has. Gone with the process."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".open")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def enter(self) -> None:
        """Be present until `close`. Waits while a restore is putting another file in the database's place."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    @contextmanager
    def nobody_else(self) -> Iterator[bool]:
        """Keep everybody out while the block runs; yield False at once when somebody is in."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            self.close()

    def close(self) -> None:
        """Be present no longer; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
