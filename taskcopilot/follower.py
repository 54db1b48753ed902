"""Notices what other processes commit to the same log, and has it published here.

A stat of the WAL file costs about 2 us and no thread hop, so it is asked every few milliseconds; only when it changed
is the log read. A file's time stamp is coarser than two commits, so a change is followed by some more looks, and once a
second the log is read whatever the file says.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from taskcopilot.clock import Clock
from taskcopilot.errors import BridgeError
from taskcopilot.recorder import Recorder

__all__ = ["Follower", "WalWatch"]

_log: Final = logging.getLogger(__name__)

INTERVAL: Final = 0.01
"""Seconds between two looks: a third of the delay that a person could notice, 0.02 % of a core."""

LOOKS_AFTER_A_CHANGE: Final = 3
"""More looks after a change, because two commits within one clock tick leave the same time stamp."""

LOOKS_UNTIL_SURE: Final = 100
"""After so many quiet looks the log is read anyway."""


class WalWatch:
    """Decides from the metadata of the WAL file whether a look at the log is due. No I/O of its own."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._extra = 0
        self._quiet = 0

    def is_due(self, metadata: tuple[int, int] | None) -> bool:
        """Take the file's (mtime in ns, size), None when there is no file, and tell whether to read the log."""
        if metadata != self._seen:
            self._seen = metadata
            self._extra = LOOKS_AFTER_A_CHANGE
        elif self._extra:
            self._extra -= 1
        else:
            self._quiet += 1
            if self._quiet < LOOKS_UNTIL_SURE:
                return False
        self._quiet = 0
        return True


class Follower:
    """Watches the WAL file and lets the recorder catch up. Run it as one task; cancel it to stop."""

    def __init__(self, recorder: Recorder, wal: Path, clock: Clock) -> None:
        self._recorder = recorder
        self._wal = str(wal)
        self._clock = clock
        self._watch = WalWatch()

    async def run(self) -> None:
        """Follow the log until cancelled; a database that cannot be read now is tried again at the next look."""
        while True:
            if self._watch.is_due(self._metadata()):
                try:
                    await self._recorder.catch_up()
                except BridgeError as error:
                    _log.warning("cannot follow the log: %s", error)
            await self._clock.sleep(INTERVAL)

    def _metadata(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._wal)  # noqa: PTH116 - five times as fast as Path.stat, a hundred times a second
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size
