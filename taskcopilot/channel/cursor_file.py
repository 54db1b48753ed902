"""Where a session is in the log, kept in a file: what it was told survives the death of its channel."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path
from typing import Final

from taskcopilot.bridge.cursor import Cursor
from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.workspace import make_private

__all__ = ["CursorFile"]

_OWN: Final = 0o600
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class CursorFile:
    """The cursor of one session in a workspace's directory. Held by one process at a time, until it ends."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, directory: Path, session: str) -> CursorFile:
        """Take the file of a session.

        Raises ConflictError while another process has it, InvalidArgumentError for a name that is none.
        """
        if not _NAME.fullmatch(session):
            raise InvalidArgumentError(
                "--session: expected up to 100 letters, digits, dots, dashes or underscores", field="--session"
            )
        make_private(directory)
        path = directory / f"{session}.cursor"
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWN)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise ConflictError(f"another channel follows as session {session!r}", field="--session") from None
        return cls(path, lock)

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def load(self) -> Cursor | None:
        """Return where the session was; None for one that was never told anything, or whose file is damaged."""
        with contextlib.suppress(OSError, UnicodeDecodeError, InvalidArgumentError):
            return Cursor.parse(self.path.read_text("ascii").strip())
        return None

    def save(self, cursor: Cursor) -> None:
        """Replace the file at once. It survives the end of the process; after a power cut it may be an older one."""
        beside = self.path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWN)
        try:
            os.write(descriptor, f"{cursor}\n".encode())
        finally:
            os.close(descriptor)
        beside.replace(self.path)
