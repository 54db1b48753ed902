"""What a bridge does beside answering: expire checkpoints, prune the log, keep the WAL small, forget keys.

Every process of a workspace may do it at the same time: each job is one transaction, and finds nothing to do when
another process was first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from taskcopilot.clock import iso
from taskcopilot.core import Core, background
from taskcopilot.errors import BridgeError
from taskcopilot.store import event_log, idempotency
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.expiry import expire_checkpoints

__all__ = ["KEYS_KEPT", "WAL_LIMIT", "upkeep"]

_log: Final = logging.getLogger(__name__)

WAL_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of WAL that are moved into the database without waiting for the interval."""

WAL_INTERVAL: Final = 30.0
"""Seconds after which whatever is in the WAL is moved."""

KEYS_KEPT: Final = timedelta(days=7)
"""How long a call can be repeated with its idempotency key."""

_LOOK_AT_WAL: Final = 1.0
_PRUNE_LOG: Final = 60.0
_FORGET_KEYS: Final = 3_600.0


@contextlib.asynccontextmanager
async def upkeep(core: Core) -> AsyncIterator[None]:
    """Do all of it while the block runs. A job that the database refuses is tried again at its next turn."""
    sweep = partial(_expire_checkpoints, core)
    forget = partial(core.recorder.record, _forget_keys)
    async with (
        background(_repeat(core, core.settings.sweep_interval, "expiring checkpoints", sweep), "sweeper"),
        background(_repeat(core, _FORGET_KEYS, "forgetting idempotency keys", forget), "key-keeper"),
        background(_repeat(core, _PRUNE_LOG, "pruning the log", partial(_prune, core)), "pruner"),
        background(_repeat(core, _LOOK_AT_WAL, "shortening the WAL", _WalKeeper(core).look), "wal-keeper"),
    ):
        yield


async def _repeat(core: Core, interval: float, what: str, job: Callable[[], Awaitable[object]]) -> None:
    """Do the job now and after every interval. Not even a defect in it may end the others or the bridge."""
    while True:
        try:
            await job()
        except BridgeError as error:
            _log.warning("%s has to wait: %s", what, error)
        except Exception:  # noqa: BLE001
            _log.exception("%s failed", what)
        await core.clock.sleep(interval)


async def _expire_checkpoints(core: Core) -> None:
    """Expire all that are due, in as many short transactions as it takes."""
    while await core.recorder.record(expire_checkpoints):
        pass


async def _prune(core: Core) -> None:
    """Remove what retention does not keep, a page per unit of work, so that nobody has to wait for long."""
    settings = core.settings

    def page(tx: Tx) -> int:
        before = iso(tx.now - timedelta(days=settings.retention_days))
        return event_log.prune(tx, settings.retention_events, before)

    while await core.recorder.record(page) == event_log.PAGE:
        pass


def _forget_keys(tx: Tx) -> int:
    return idempotency.forget_before(tx, iso(tx.now - KEYS_KEPT))


class _WalKeeper:
    """Decides at each look whether the WAL is worth a checkpoint: large, or not empty for an interval."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._last = core.clock.monotonic()

    async def look(self) -> None:
        size = await asyncio.to_thread(_size, self._core.database.wal_path)
        now = self._core.clock.monotonic()
        if size > WAL_LIMIT or (size and now - self._last >= WAL_INTERVAL):
            self._last = now
            await self._core.database.checkpoint()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
