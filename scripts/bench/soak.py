"""Soak: ten minutes of work, and what is left behind."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.bridge import prepare
from bench.load import http
from bench.machine import LOAD_CORE, SERVER_CORE, descriptors, resident
from bench.processes import Process, python, scratch, started
from bench.result import Claim, Plan, Result, Row, at_most
from bench.write import updates

__all__ = ["run"]

TASKS: Final = 2_000
RATE: Final = 500
CLIENTS: Final = 200
_CONNECTIONS: Final = 16
_LOOK: Final = 5.0
_PATIENCE: Final = 30.0

_REGION: Final = """\
The bridge with 500 `POST /api/tools/task_update` a second for ten minutes, and 200 clients that come, read for 1 to 13
seconds, and go, every second one without a word. Resident memory, descriptors and tasks of the event loop are looked at
every five seconds, and once more when all have left. The first minute is for getting warm. Retention is at work."""


@dataclass
class Looks:
    """What was seen of the server: seconds since the start, and MiB."""

    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def settled(self, warm: float) -> tuple[list[float], list[float]]:
        """Return minutes and MiB after the warm-up."""
        pairs = [(at / 60, size) for at, size in zip(self.times, self.memory, strict=True) if at >= warm]
        return [at for at, _ in pairs], [size for _, size in pairs]


def run(plan: Plan) -> Result:
    """Measure once: it takes its time."""
    seconds = plan.size(30, 600)
    with scratch() as directory:
        database = directory / "tasks.db"
        ids = prepare(database, TASKS)
        with started(python("bench.peers.bridge", "uvloop", str(database)), core=SERVER_CORE) as server:
            port = server.answer()["port"]
            before = _left(server)
            looks, calls, visits = _soak(server, port, updates(port, ids), seconds)
            after = _settle(server, before)
    minutes, sizes = looks.settled(seconds / 10)
    slope = statistics.linear_regression(minutes, sizes).slope
    growth = statistics.fmean(sizes[-5:]) / statistics.fmean(sizes[:5])
    rows = [
        Row("calls", "calls/s", [calls / seconds]),
        Row("visits", "visits", [visits]),
        Row("memory after the first tenth", "MiB", [sizes[0]]),
        Row("memory at the end", "MiB", [sizes[-1]]),
        Row("memory, slope", "MiB/min", [slope]),
        Row("tasks, before and after", "tasks", [before[0], after[0]]),
        Row("descriptors, before and after", "descriptors", [before[1], after[1]]),
    ]
    return Result("soak", "Soak", _REGION, rows, list(_claims(growth, before, after)))


def _claims(growth: float, before: tuple[int, int], after: tuple[int, int]) -> Iterator[Claim]:
    yield at_most("memory flat after the first minute: 1.05 times at the end, at most", growth, 1.05, "times")
    yield at_most("no task left behind", 1 + max(0, after[0] - before[0]), 1, "(1 is none)")
    yield at_most("no descriptor left behind", 1 + max(0, after[1] - before[1]), 1, "(1 is none)")


def _soak(server: Process, port: int, requests: Iterator[bytes], seconds: float) -> tuple[Looks, int, int]:
    with started(python("bench.load.visitors", str(port), str(CLIENTS)), core=LOAD_CORE) as visitors:
        visitors.answer()
        looks, calls = asyncio.run(_work(server.pid, port, requests, seconds))
        return looks, calls, visitors.ask(stop=True)["visits"]


async def _work(pid: int, port: int, requests: Iterator[bytes], seconds: float) -> tuple[Looks, int]:
    """Call at the rate for some seconds, and look at the server meanwhile."""
    began = time.monotonic()
    looks = Looks()
    numbers = itertools.count()

    async def look() -> None:
        while time.monotonic() - began < seconds:
            await asyncio.sleep(_LOOK if seconds > 100 else 1)
            looks.times.append(time.monotonic() - began)
            looks.memory.append(resident(pid))

    async def call() -> None:
        peer = await http.KeptAlive.to(port)
        while (due := next(numbers) / RATE) < seconds and time.monotonic() - began < seconds:
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            await peer.send(next(requests))
        peer.close()

    await asyncio.gather(look(), *(call() for _ in range(_CONNECTIONS)))
    return looks, next(numbers) - _CONNECTIONS


def _left(server: Process) -> tuple[int, int]:
    """Return tasks and descriptors."""
    return server.ask(do="tasks")["tasks"], descriptors(server.pid)


def _settle(server: Process, before: tuple[int, int]) -> tuple[int, int]:
    """Wait until what was there before is left, or the patience ends: connections that died take a moment."""
    deadline = time.monotonic() + _PATIENCE
    left = _left(server)
    while any(now > then for now, then in zip(left, before, strict=True)) and time.monotonic() < deadline:
        time.sleep(0.5)
        left = _left(server)
    return left
