"""From a tool call to a client's callback."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

import orjson

from bench.bridge import prepare, serving
from bench.contest import subscribers
from bench.load import http
from bench.machine import LOAD_CORE
from bench.processes import python, scratch, started
from bench.result import Plan, Result, Row, at_most, percentile

__all__ = ["run"]

RATE: Final = 200
SUBSCRIBERS: Final = 100
TASKS: Final = 2_000
_CONNECTIONS: Final = 16

_REGION: Final = """\
200 `POST /api/tools/task_update` a second against `taskcopilot serve`, each at its time whether or not the one before
was answered, with 100 subscribers of `task:*`. From the moment at which the call is due until the callback of a
`TaskCopilotClient` in another process is called: request, commit on disk, fan-out, and the client. `answer`: until the
call's own answer."""


def run(plan: Plan) -> Result:
    """Measure both, five seconds at a time."""
    calls = plan.size(100, 1_000)
    runs: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(scratch()) / "tasks.db"
        ids = prepare(database, TASKS)
        bridge = stack.enter_context(serving(database))
        stack.enter_context(subscribers(bridge.port, SUBSCRIBERS))
        listener = stack.enter_context(started(python("bench.load.listener", str(bridge.port)), core=LOAD_CORE))
        listener.answer()
        for turn in range(plan.repeats):
            due, answered = asyncio.run(_call(bridge.port, ids, calls, f"turn {turn} call"))
            called = listener.ask(seen=calls)["times"]
            for name, moments in (("answer", answered), ("callback", called)):
                took = [(moments[notes] - moment) / 1e6 for notes, moment in due.items()]
                for share, what in ((0.5, "median"), (0.99, "p99")):
                    runs.setdefault(f"{name}, {what}", []).append(percentile(took, share))
    rows = [Row(name, "ms", values) for name, values in runs.items()]
    found = {row.what: row.median for row in rows}
    text = "tool call to callback, p99 below 10 ms at 200 updates/s with 100 subscribers"
    return Result("callback", "Call to callback", _REGION, rows, [at_most(text, found["callback, p99"], 10, "ms")])


async def _call(port: int, ids: Sequence[str], calls: int, label: str) -> tuple[dict[str, int], dict[str, int]]:
    """Make calls at their times; return when each was due and when it was answered, by its notes."""
    idle: asyncio.LifoQueue[http.KeptAlive] = asyncio.LifoQueue()
    peers = [await http.KeptAlive.to(port) for _ in range(_CONNECTIONS)]
    for peer in peers:
        idle.put_nowait(peer)
    due: dict[str, int] = {}
    answered: dict[str, int] = {}

    async def one(number: int) -> None:
        notes = f"{label} {number}"
        due[notes] = began + number * (1_000_000_000 // RATE)
        await asyncio.sleep(max(0.0, (due[notes] - time.perf_counter_ns()) / 1e9))
        peer = await idle.get()
        body = orjson.dumps({"id": ids[number % len(ids)], "notes": notes})
        await peer.send(http.post(port, "/api/tools/task_update", body))
        answered[notes] = time.perf_counter_ns()
        idle.put_nowait(peer)

    began = time.perf_counter_ns()
    await asyncio.gather(*(one(number) for number in range(calls)))
    for peer in peers:
        peer.close()
    return due, answered
