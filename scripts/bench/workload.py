"""What the benchmarks work on: databases with tasks, and the event that everybody delivers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.store.transaction import Tx

__all__ = ["ENVELOPE", "MARKER", "fill", "new_event", "on_loop", "opened", "template"]

T = TypeVar("T")

ENVELOPE: Final = 350
"""Bytes of an event's JSON, as every server sends it."""

MARKER: Final = "~" * 32
"""Is in every event once and nowhere else: counting a run of one rare character is the fastest there is."""

_TASK: Final = "TASK-0651fa2d-35c4-4f9e-a180-277a2e8e6e0f"
_AT: Final = "2026-01-08T12:00:00.000Z"
_PADDING: Final = "y" * 50
_STREAMS: Final = 100
_AT_ONCE: Final = 64


def template() -> dict[str, Any]:
    """Return the event as JSON values; `data.t` is the monotonic clock in ns, 18 digits, when it is published."""
    data = {"taskId": _TASK, "t": "0" * 18, "mark": MARKER, "x": _PADDING}
    payload = {"topic": f"task:{_TASK}", "eventType": "task.updated", "data": data}
    return {"type": "event", "timestamp": _AT, "seq": 100_000, "payload": payload}


def new_event(seq: int) -> Event:
    """Return the same as the recorder hands it to the bus: its data is encoded, on the database's thread."""
    data = b'{"taskId":"%b","t":"%018d","mark":"%b","x":"%b"}' % (
        _TASK.encode(),
        time.perf_counter_ns(),
        MARKER.encode(),
        _PADDING.encode(),
    )
    return Event(seq, _AT, f"task:{_TASK}", "task.updated", data)


@contextlib.asynccontextmanager
async def opened(database: Path, *, follow: bool = True, retention: int = 100_000) -> AsyncIterator[Core]:
    """Open the core on a database, as the bridge does."""
    flags = {"db": database, "port": 0, "log_level": "warning", "retention_events": retention}
    async with Core.open(Settings.load(flags, {}), follow=follow) as core:
        yield core


async def fill(core: Core, tasks: int) -> list[str]:
    """Create tasks in a hundred streams, and return their ids."""
    ids: list[str] = []
    for start in range(0, tasks, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, tasks))
        calls = [core.toolbox.call("task_create", _new_task(number)) for number in numbers]
        ids += [answer.id for answer in await asyncio.gather(*calls)]  # type: ignore[attr-defined]
    return ids


async def log_events(core: Core, count: int) -> None:
    """Append events to the log, past the tools, a thousand in each commit."""
    from taskcopilot.events import TaskBlocked  # noqa: PLC0415 - one of the small payloads

    payload = TaskBlocked(task_id=_TASK, task_title="x" * 60, blocked_reason=MARKER, blocked_at=_AT)

    def unit(tx: Tx) -> None:
        for _ in range(min(1_000, count)):
            tx.emit(payload)

    for _ in range(max(1, count // 1_000)):
        await core.recorder.record(unit)


def on_loop(name: str, work: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
    """Run a coroutine function to its end on the loop of that name."""
    if name == "asyncio":
        return asyncio.run(work(*arguments))
    import uvloop  # noqa: PLC0415 - an extra

    return uvloop.run(work(*arguments))


def _new_task(number: int) -> dict[str, Any]:
    return {"title": f"task {number}", "metadata": {"streamId": f"Stream-{number % _STREAMS}"}}
