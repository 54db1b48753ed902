"""Reads over HTTP at ten thousand tasks, and what they do to everybody else."""

from __future__ import annotations

import asyncio
import cProfile
import itertools
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench.bridge import prepare
from bench.load import http
from bench.machine import SERVER_CORE, cpu_seconds
from bench.processes import Process, in_process, python, scratch, started
from bench.profiling import by_function
from bench.result import Plan, Result, Row, at_most
from bench.workload import on_loop, opened
from bench.write import updates
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.views.streams import list_streams
from taskcopilot.tools.views.tasks import tasks_json
from taskcopilot.web.json import encode

__all__ = ["run"]

TASKS: Final = 10_000
PATHS: Final = (
    "/api/streams",
    "/api/streams/Stream-7",
    "/api/tasks?limit=100",
    "/api/tasks?streamId=Stream-7",
    "/api/tasks?status=pending",
    "/api/tasks",
)
_CONNECTIONS: Final = 4

_REGION: Final = """\
From request to the end of the answer on one kept-alive connection, one request at a time, at 10,000 tasks in 100
streams. `changed`: a task was updated before each request, so that nothing that was kept is of use; the others repeat
the request on unchanged data. CPU: user and kernel time of the server's process a request, the update's included.
Stalls: while 4 connections read without a pause and one updates a task as often as it can, a task in the server's event
loop wants to run every millisecond; how late it is."""


def run(plan: Plan) -> Result:
    """Measure each path alone, then the event loop under all of them."""
    runs: dict[str, list[float]] = {}
    stalls: dict[str, list[float]] = {}
    with scratch() as directory:
        database = directory / "tasks.db"
        ids = prepare(database, plan.size(500, TASKS))
        command = python("bench.peers.bridge", "uvloop", str(database))
        with started(command, core=SERVER_CORE) as server:
            port = server.answer()["port"]
            changes = updates(port, ids)
            for _ in range(plan.repeats):
                for path in PATHS:
                    for name, value in _path(server, port, path, plan.size(5, 40), changes):
                        runs.setdefault(name, []).append(value)
                for name, value in _stalls(server, port, plan.size(1, 3), changes):
                    stalls.setdefault(name, []).append(value)
        notes = in_process(_profiles, database)
    rows = [Row(name, "ms", values) for name, values in sorted(runs.items(), reverse=True)]
    rows += [Row(name, "ms", values) for name, values in stalls.items()]
    found = {row.what: row.median for row in rows}
    claims = [
        *(
            at_most(f"GET {path} below 5 ms at the median", found[f"GET {path}"], 5, "ms")
            for path in ("/api/streams", "/api/streams, changed", "/api/tasks", "/api/tasks, changed")
        ),
        at_most("reads never stall the event loop: 10 ms late at most", found["late, GET /api/streams, max"], 10, "ms"),
        at_most("the same, reading all tasks", found["late, GET /api/tasks, max"], 10, "ms"),
    ]
    return Result("reads", "Reads", _REGION, rows, claims, notes)


def _profiles(database: Path) -> list[str]:
    return on_loop("asyncio", _profiled_reads, database)


async def _profiled_reads(database: Path) -> list[str]:
    """Profile the readers' thread, without HTTP around it."""
    async with opened(database, follow=False) as core:
        return [
            await core.database.read(partial(_profiled, name, view))
            for name, view in (("reading all streams", list_streams), ("reading all tasks", tasks_json))
        ]


def _profiled(name: str, view: Callable[[ReadTx], object], tx: ReadTx) -> str:
    profile = cProfile.Profile()
    profile.enable()
    encode(view(tx))
    profile.disable()
    return by_function(name, profile)


def _path(server: Process, port: int, path: str, count: int, changes: Iterator[bytes]) -> Iterator[tuple[str, float]]:
    for name, between in ((f"GET {path}", None), (f"GET {path}, changed", changes)):
        began = cpu_seconds(server.pid)
        times = asyncio.run(http.times(port, http.get(port, path), count, between))
        yield name, statistics.median(times)
        yield f"CPU, {name}", (cpu_seconds(server.pid) - began) / count * 1_000


def _stalls(server: Process, port: int, seconds: float, changes: Iterator[bytes]) -> Iterator[tuple[str, float]]:
    for path in (None, "/api/streams", "/api/tasks"):
        late = _late(server, port, path, seconds, changes)
        name = f"late, GET {path}" if path else "late, nobody reads"
        yield f"{name}, p99", late[int(len(late) * 0.99)]
        yield f"{name}, max", late[-1]


def _late(server: Process, port: int, path: str | None, seconds: float, changes: Iterator[bytes]) -> list[float]:
    """Return in order how late the event loop was while a path was read."""
    server.tell(do="lag", seconds=seconds)
    if path:
        asyncio.run(_read_and_write(port, path, seconds, changes))
    return sorted(server.answer()["late"])


async def _read_and_write(port: int, path: str, seconds: float, changes: Iterator[bytes]) -> None:
    requests = itertools.repeat(http.get(port, path))
    await asyncio.gather(http.rate(port, _CONNECTIONS, requests, seconds), http.rate(port, 1, changes, seconds))
