"""The write path: task_update through the recorder and over HTTP."""

from __future__ import annotations

import asyncio
import cProfile
import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson

from bench.bridge import prepare, serving
from bench.load import http
from bench.machine import cpu_seconds
from bench.processes import in_process, scratch
from bench.profiling import by_function
from bench.result import Plan, Result, Row, at_least, loops
from bench.workload import fill, on_loop, opened
from taskcopilot.core import Core

__all__ = ["run"]

TASKS: Final = 2_000
_REGION: Final = """\
Recorder: `toolbox.call("task_update", ...)` until its answer, with the commit on disk (synchronous=FULL) and its events
published, in one process without listeners. HTTP: `POST /api/tools/task_update` on kept-alive connections, from request
to answer, against `taskcopilot serve`; the load runs on another core. Each call changes the notes of one of 2,000 tasks
in 100 streams."""


def run(plan: Plan) -> Result:
    """Measure the recorder with 1 and 16 callers on both loops, HTTP with 1 and 16 connections, and the bare disk."""
    runs: dict[str, list[float]] = {}
    for _ in range(plan.repeats):
        for name, values in _round(plan.size(100, 2_000), plan.size(1, 3)):
            runs.setdefault(name, []).append(values)
    rows = [
        Row(name, "us CPU a call" if name.startswith("CPU") else "calls/s", values) for name, values in runs.items()
    ]
    found = {row.what: row.median for row in rows}
    claims = [
        at_least("recorder, 16 callers, at least 5,000/s", found["recorder, 16 callers, uvloop"], 5_000, "calls/s"),
        at_least("recorder, 1 caller, at least 2,000/s", found["recorder, 1 caller, uvloop"], 2_000, "calls/s"),
        at_least("POST on keep-alive, at least 1,500/s", found["POST, 16 connections"], 1_500, "calls/s"),
    ]
    cpu = "CPU of the recorder's process, {}, {}".format
    notes = [
        loops(found, cpu(who, "uvloop"), cpu(who, "asyncio"), f"us CPU a call, {who}")
        for who in ("1 caller", "16 callers")
    ]
    notes += [in_process(_profile, callers, plan.size(100, 2_000)) for callers in (1, 16)]
    notes += [
        "`bare SQLite` is one UPDATE and its synced commit in a loop: what this disk allows one caller at most.",
        "One caller pays for each call alone: a commit of about five pages, the way to the writer's thread and back.",
    ]
    return Result("write", "Write path", _REGION, rows, claims, notes)


def _round(calls: int, seconds: float) -> Iterator[tuple[str, float]]:
    yield "bare SQLite, 1 caller", _bare(calls)
    for loop in ("uvloop", "asyncio"):
        for callers, who in ((1, "1 caller"), (16, "16 callers")):
            rate, cpu = in_process(_recorder, loop, callers, calls)
            yield f"recorder, {who}, {loop}", rate
            yield f"CPU of the recorder's process, {who}, {loop}", cpu
    with scratch() as directory:
        yield from _http(directory / "tasks.db", seconds)


def _http(database: Path, seconds: float) -> Iterator[tuple[str, float]]:
    ids = prepare(database, TASKS)
    with serving(database) as bridge:
        for connections, who in ((1, "1 connection"), (16, "16 connections")):
            began = cpu_seconds(bridge.pid)
            rate = asyncio.run(http.rate(bridge.port, connections, updates(bridge.port, ids), seconds))
            yield f"POST, {who}", rate
            yield f"CPU of the bridge, POST, {who}", (cpu_seconds(bridge.pid) - began) / (rate * seconds) * 1e6


def updates(port: int, ids: list[str]) -> Iterator[bytes]:
    """Yield requests that change the notes of one task after the other, for ever."""
    for number, task in enumerate(itertools.cycle(ids)):
        yield http.post(port, "/api/tools/task_update", orjson.dumps({"id": task, "notes": f"n{number}"}))


def _recorder(loop: str, callers: int, calls: int) -> tuple[float, float]:
    with scratch() as directory:
        return on_loop(loop, _call, directory / "tasks.db", callers, calls)


async def _call(database: Path, callers: int, calls: int) -> tuple[float, float]:
    """Return calls a second, and us of CPU a call."""
    async with opened(database) as core:
        ids = await fill(core, TASKS)
        began, cpu = time.perf_counter(), time.process_time()
        await _update(core, ids, callers, calls)
        return calls / (time.perf_counter() - began), (time.process_time() - cpu) / calls * 1e6


async def _update(core: Core, ids: Sequence[str], callers: int, calls: int) -> None:
    number = itertools.count()

    async def caller() -> None:
        while (n := next(number)) < calls:
            await core.toolbox.call("task_update", {"id": ids[n % TASKS], "notes": f"n{n}"})

    await asyncio.gather(*(caller() for _ in range(callers)))


def _profile(callers: int, calls: int) -> str:
    with scratch() as directory:
        return on_loop("uvloop", _profiled_calls, directory / "tasks.db", callers, calls)


async def _profiled_calls(database: Path, callers: int, calls: int) -> str:
    """Profile the database's thread while that many callers write."""
    async with opened(database) as core:
        ids = await fill(core, TASKS)
        profile = cProfile.Profile()
        await core.database.write(lambda _connection: profile.enable())
        await _update(core, ids, callers, calls)
        await core.database.write(lambda _connection: profile.disable())
        return by_function(f"the writer's thread, {callers} caller{'s' if callers > 1 else ''}", profile)


def _bare(calls: int) -> float:
    with scratch() as directory:
        connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE t (id INTEGER, notes TEXT)",
        ):
            connection.execute(statement)
        connection.execute("INSERT INTO t VALUES (1, '')")
        began = time.perf_counter()
        for number in range(calls):
            connection.execute("UPDATE t SET notes = ? WHERE id = 1", (f"n{number}",))
        took = time.perf_counter() - began
        connection.close()
    return calls / took
