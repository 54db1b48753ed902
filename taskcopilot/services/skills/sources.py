"""Where ticks come from: what this workspace recorded, or a database of session-buddy, which is only read."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from taskcopilot.errors import BridgeError
from taskcopilot.recorder import Recorder
from taskcopilot.services.skills import recording
from taskcopilot.services.skills.ticks import LISTED, RECENT, Snapshot, recent
from taskcopilot.store import skills
from taskcopilot.store.database import Database
from taskcopilot.store.foreign import ForeignFile
from taskcopilot.store.transaction import ReadTx

__all__ = ["OwnSkills", "SkillSource", "SkillsFile"]

_log: Final = logging.getLogger(__name__)

_FURTHEST: Final = timedelta(hours=14)
"""How far a time zone is from UTC at most: what is yesterday there may be now."""


class SkillSource(Protocol):
    """Something that ticks are made from."""

    async def read(self, wanted: Collection[str]) -> Snapshot:
        """Return how it is now, with those skills; raises StoreError when it cannot be read."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class OwnSkills:
    """What `skill_record` and the SkillRecorder keep in this workspace."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder

    async def read(self, wanted: Collection[str]) -> Snapshot:
        """See SkillSource. What has left a window is taken off first; while that cannot be written, it stays."""
        if await self._database.read(recording.has_decayed):
            try:
                await self._recorder.record(recording.decay)
            except BridgeError as error:
                _log.warning("the counters of the skills are behind: %s", error)
        return await self._database.read(partial(_snapshot, wanted))

    async def close(self) -> None:
        """See SkillSource."""


class SkillsFile:
    """A `skills.db` of session-buddy. Opened at the first tick, and again after an error; never written."""

    def __init__(self, path: Path, database: Database) -> None:
        self._file = ForeignFile(path, database.surroundings)

    async def read(self, wanted: Collection[str]) -> Snapshot:
        """See SkillSource."""
        return await self._file.read(partial(_snapshot, wanted))

    async def close(self) -> None:
        """See SkillSource."""
        await self._file.close()


def _snapshot(wanted: Collection[str], tx: ReadTx) -> Snapshot:
    day = (tx.now - RECENT - _FURTHEST).date().isoformat()
    found = {name: row for name in wanted if (row := skills.one(tx, name))}
    return Snapshot(skills.top(tx, LISTED), recent(skills.anomalies_since(tx, day), tx.now), found)
