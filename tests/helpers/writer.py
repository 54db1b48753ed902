"""Another process's worth of writer on a bridge's database: numbered events, as many in a commit as wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.events import TaskCreated
from taskcopilot.store.transaction import Tx


class Writer:
    """Commits events whose task titles are their numbers, if nobody else writes. For one thread."""

    def __init__(self, runner: asyncio.Runner, core: Core) -> None:
        self._runner = runner
        self._core = core
        self.epoch = core.recorder.epoch
        self.head = core.recorder.head

    def commit(self, count: int = 1) -> int:
        """Commit so many events in one transaction, and return the number of the last."""
        first = self.head + 1

        def unit(tx: Tx) -> None:
            for number in range(first, first + count):
                tx.emit(TaskCreated(task_id=f"TASK-{number}", task_title=str(number), created_at=tx.at))

        self._runner.run(self._core.recorder.record(unit))
        self.head += count
        return self.head

    def commit_many(self, events: int, at_once: int) -> int:
        """Commit so many events, some at a time, and return the number of the last."""
        for begun in range(0, events, at_once):
            self.commit(min(at_once, events - begun))
        return self.head


@contextlib.contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Open the database for writing."""
    settings = Settings.load({"db": file}, {})
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        core = runner.run(stack.enter_async_context(Core.open(settings, follow=False)))
        try:
            yield Writer(runner, core)
        finally:
            runner.run(stack.aclose())
