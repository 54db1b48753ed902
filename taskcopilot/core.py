"""The core of every process: store, bus, recorder and tools, opened in order and closed in reverse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from taskcopilot.bus import Bus
from taskcopilot.clock import Clock, SystemClock
from taskcopilot.config import Settings
from taskcopilot.follower import Follower
from taskcopilot.recorder import Recorder
from taskcopilot.services.publishing import Publisher
from taskcopilot.store.database import Database
from taskcopilot.tools.dispatch import Toolbox
from taskcopilot.tools.table import REGISTRY
from taskcopilot.workspace import Workspace

__all__ = ["Core", "background"]


@dataclass(frozen=True, slots=True)
class Core:
    """What is open while a process works on a workspace."""

    settings: Settings
    workspace: Workspace
    clock: Clock
    database: Database
    bus: Bus
    recorder: Recorder
    toolbox: Toolbox
    publisher: Publisher

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        workspace: Workspace | None = None,
        clock: Clock | None = None,
        follow: bool = True,
        check: bool = False,
    ) -> AsyncIterator[Core]:
        """Open the workspace that the settings name; raises StoreError when that cannot be.

        `follow`: publish on this process's bus also what other processes commit. `check`: look for damage first.
        """
        workspace = workspace or settings.resolve_workspace()
        clock = clock or SystemClock()
        bus = Bus()
        async with contextlib.AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                Database.open(
                    workspace, clock, durability=settings.durability, busy_timeout=settings.busy_timeout, check=check
                )
            )
            recorder = await stack.enter_async_context(Recorder(database, bus).running())
            if follow:
                follower = Follower(recorder, database.wal_path, clock)
                await stack.enter_async_context(background(follower.run(), "follower"))
            toolbox = Toolbox(REGISTRY, database, recorder)
            publisher = Publisher(recorder, bus, clock)
            yield cls(settings, workspace, clock, database, bus, recorder, toolbox, publisher)


@contextlib.asynccontextmanager
async def background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run a task beside the block; at its end the task is cancelled and awaited, and its error, if any, raised."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
