"""Reads over HTTP at ten thousand tasks, and what they do to everybody else."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Iterator
from typing import Final

from bench.bridge import prepare
from bench.load import http
from bench.machine import SERVER_CORE, cpu_seconds
from bench.processes import Process, python, scratch, started
from bench.result import Plan, Result, Row, at_most

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
streams; no cache is asked for. CPU: user and kernel time of the server's process a request. Stalls: while 4 connections
read without a pause, a task in the server's event loop wants to run every millisecond; how late it is."""


def run(plan: Plan) -> Result:
    """Measure each path alone, then the event loop under all of them."""
    runs: dict[str, list[float]] = {}
    stalls: dict[str, list[float]] = {}
    with scratch() as directory:
        database = directory / "tasks.db"
        prepare(database, plan.size(500, TASKS))
        command = python("bench.peers.bridge", "uvloop", str(database))
        with started(command, core=SERVER_CORE) as server:
            port = server.answer()["port"]
            for _ in range(plan.repeats):
                for path in PATHS:
                    for name, value in _path(server, port, path, plan.size(5, 40)):
                        runs.setdefault(name, []).append(value)
                for name, value in _stalls(server, port, plan.size(1, 3)):
                    stalls.setdefault(name, []).append(value)
    rows = [Row(name, "ms", values) for name, values in sorted(runs.items(), reverse=True)]
    rows += [Row(name, "ms", values) for name, values in stalls.items()]
    found = {row.what: row.median for row in rows}
    claims = [
        at_most("GET /api/streams below 5 ms at the median", found["GET /api/streams"], 5, "ms"),
        at_most("GET /api/tasks?limit=100 below 5 ms at the median", found["GET /api/tasks?limit=100"], 5, "ms"),
        at_most("GET /api/tasks (all 10,000) below 5 ms at the median", found["GET /api/tasks"], 5, "ms"),
        at_most("reads never stall the event loop: 10 ms late at most", found["late, GET /api/streams, max"], 10, "ms"),
        at_most("the same, reading all tasks", found["late, GET /api/tasks, max"], 10, "ms"),
    ]
    return Result("reads", "Reads", _REGION, rows, claims)


def _path(server: Process, port: int, path: str, count: int) -> Iterator[tuple[str, float]]:
    began = cpu_seconds(server.pid)
    times = asyncio.run(http.times(port, http.get(port, path), count))
    yield f"GET {path}", statistics.median(times)
    yield f"CPU, GET {path}", (cpu_seconds(server.pid) - began) / count * 1_000


def _stalls(server: Process, port: int, seconds: float) -> Iterator[tuple[str, float]]:
    for path in (None, "/api/streams", "/api/tasks"):
        late = _late(server, port, path, seconds)
        name = f"late, GET {path}" if path else "late, nobody reads"
        yield f"{name}, p99", late[int(len(late) * 0.99)]
        yield f"{name}, max", late[-1]


def _late(server: Process, port: int, path: str | None, seconds: float) -> list[float]:
    """Return in order how late the event loop was while a path was read."""
    server.tell(do="lag", seconds=seconds)
    if path:
        requests = itertools.repeat(http.get(port, path))
        asyncio.run(http.rate(port, _CONNECTIONS, requests, seconds))
    return sorted(server.answer()["late"])
