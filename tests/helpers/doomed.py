"""A writer in a process of its own that is killed in the middle of its work: before its commit, or right after it."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.store import event_log
from taskcopilot.store.transaction import Tx
from tests.helpers.processes import running

__all__ = ["die_writing"]


def main(file: str, committed: str) -> None:
    """Write, say how far it got, and wait for the end."""
    asyncio.run(_work(Path(file), committed == "True"))


async def _work(file: Path, committed: bool) -> None:
    async with Core.open(Settings.load({"db": file}, {}), follow=False) as core:
        if committed:
            await core.toolbox.call("task_create", {"title": "its last", "metadata": {"streamId": "A"}})
            _wait_for_the_end()
        await core.recorder.record(_half)


def _half(tx: Tx) -> None:
    """Append an event to the log, as the recorder does, and never come to the commit."""
    event_log.append(tx._connection, tx.at, [("task:TASK-half", "task.created", b"{}")])
    _wait_for_the_end()


def _wait_for_the_end() -> None:
    print("now", flush=True)  # noqa: T201
    threading.Event().wait()


def die_writing(home: Path, file: Path, *, committed: bool) -> None:
    """Run the writer and kill it; when this returns it is gone."""
    code = f"import sys; from {__name__} import main; main(*sys.argv[1:])"
    with running(home, str(file), str(committed), code=code) as process:
        assert process.out.next() == "now"
        assert process.stop(signal.SIGKILL)[0] == -signal.SIGKILL
