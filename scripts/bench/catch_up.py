"""Catch-up: a client that comes back after a hundred thousand events, and the others meanwhile."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

from bench.contest import Pair, subscribers
from bench.load import frames
from bench.load.counting import Counter
from bench.machine import SERVER_CORE
from bench.processes import in_process, python, scratch, started
from bench.result import Plan, Result, Row, at_most, percentile
from bench.workload import MARKER, log_events, on_loop, opened

__all__ = ["run"]

LIVE: Final = 100
RATE: Final = 100

_REGION: Final = """\
A log of 100,000 events; 100 live subscribers get 100 events a second that are committed through the recorder. A client
subscribes with `since` 0: from sending that until it has read all it missed and one live event. Live latency: from the
unit of work until a subscriber's process has read the event, disk included; five seconds without anybody behind, then
five seconds in which one client after the other catches up."""


def run(plan: Plan) -> Result:
    """Measure the live clients alone and during catch-up, in turns."""
    events = plan.size(2_000, 100_000)
    runs: dict[tuple[str, str], list[float]] = {}
    with scratch() as directory:
        database = directory / "tasks.db"
        in_process(_prepare, database, events)
        with started(python("bench.peers.bridge", "uvloop", str(database), "1000000"), core=SERVER_CORE) as server:
            ready = server.answer()
            with subscribers(ready["port"], LIVE) as load:
                pair = Pair(server, ready, load, LIVE)
                for _ in range(plan.repeats):
                    _round(pair, plan.size(50, 500), runs)
    rows = [Row(name, unit, values) for (name, unit), values in runs.items()]
    found = {row.what: row.median for row in rows}
    ratio = found["live p99 during catch-up"] / found["live p99"]
    claims = [
        at_most("100,000 events behind, live again in under 3 s", found["catch-up"] / 1_000, 3, "s"),
        at_most("live clients' p99 does not double meanwhile", ratio, 2, "times"),
    ]
    return Result("catch_up", "Catch-up", _REGION, rows, claims)


def _round(pair: Pair, count: int, runs: dict[tuple[str, str], list[float]]) -> None:
    def note(name: str, unit: str, value: float) -> None:
        runs.setdefault((name, unit), []).append(value)

    latencies, _ = pair.paced(RATE, count, do="recorded_at_a_rate")
    note("live p99", "ms", percentile(latencies, 0.99))
    over = threading.Event()
    times: list[float] = []
    behind = threading.Thread(target=_catch_up_until, args=(pair.ready["port"], over, times))
    behind.start()
    try:
        latencies, _ = pair.paced(RATE, count, do="recorded_at_a_rate")
    finally:
        over.set()
        behind.join()
    note("live p99 during catch-up", "ms", percentile(latencies, 0.99))
    for took in times:
        note("catch-up", "ms", took * 1_000)


def _catch_up_until(port: int, over: threading.Event, times: list[float]) -> None:
    """Catch up again and again; the last is left unfinished when the live events have ended."""
    while not over.is_set():
        took = _catch_up(port, over)
        if took is not None:
            times.append(took)


def _catch_up(port: int, over: threading.Event) -> float | None:
    peer = frames.connect(port, "/ws")
    peer.settimeout(1)
    buffer = bytearray(1 << 18)
    began = time.perf_counter()
    data = frames.subscribe(peer, topics=["task:*"], since=0)
    head = int(data.split(b'"seq":')[1].split(b",")[0].rstrip(b"}"))
    counter = Counter(MARKER.encode())
    found = counter.feed(bytearray(data), len(data))
    try:
        while found <= head:
            found += counter.feed(buffer, peer.recv_into(buffer))
    except TimeoutError:
        if not over.is_set():
            raise
        return None
    finally:
        peer.close()
    return time.perf_counter() - began


def _prepare(database: Path, events: int) -> None:
    on_loop("asyncio", _log, database, events)


async def _log(database: Path, events: int) -> None:
    async with opened(database, follow=False) as core:
        await log_events(core, events)
