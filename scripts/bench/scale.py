"""Scale: memory of idle connections, many connections at once, and what a delivery costs among them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from bench.bridge import serving
from bench.contest import BRIDGE, facing, subscribers
from bench.machine import resident
from bench.processes import scratch
from bench.result import Claim, Plan, Result, Row, at_least, at_most, percentile

__all__ = ["run"]

_REGION: Final = """\
Memory: resident memory of `taskcopilot serve` with 1,000 connections that each subscribed and get nothing. Many at
once: 5,000 subscribers of one pattern, 10 events a second for five seconds, all counted; latency from publication until
a subscriber's process has read the event, of 20 of them. CPU: a burst of 200 events, 64 in each turn, to subscribers of
one pattern, alone and beside idle connections that want something else."""

_TURN: Final = 64


def run(plan: Plan) -> Result:
    """Measure memory once a round, then bursts of growing size."""
    runs: dict[tuple[str, str], list[float]] = {}
    many, few, idle = plan.size(200, 5_000), plan.size(50, 500), plan.size(100, 4_000)
    for _ in range(plan.repeats):
        for name, unit, value in (*_memory(plan.size(100, 1_000)), *_many(many), *_cost(few, few * 2, many, idle)):
            runs.setdefault((name, unit), []).append(value)
    rows = [Row(name, unit, values) for (name, unit), values in runs.items()]
    return Result(
        "scale", "Scale", _REGION, rows, list(_claims({row.what: row.median for row in rows}, many, few, idle))
    )


def _claims(found: dict[str, float], many: int, few: int, idle: int) -> Iterator[Claim]:
    yield at_most("1,000 idle connections below 100 MB resident", found["idle connections"] * 1.048576, 100, "MB")
    yield at_least(f"{many:,} connections get all events", found["events that arrived"], 1, "of all")
    alone = found[_name(few)]
    yield at_most(
        f"cost grows linearly with deliveries: a delivery to {many:,} costs 1.25 times that to {few:,} at most",
        found[_name(many)] / alone,
        1.25,
        "times",
    )
    text = f"cost does not grow with idle clients: 1.1 times beside {idle:,} at most"
    yield at_most(text, found[_name(few, idle)] / alone, 1.1, "times")


def _memory(clients: int) -> Iterator[tuple[str, str, float]]:
    with scratch() as directory, serving(directory / "tasks.db") as bridge:
        alone = resident(bridge.pid)
        with subscribers(bridge.port, clients, dialect="idle"):
            together = resident(bridge.pid)
    yield "without connections", "MiB", alone
    yield "idle connections", "MiB", together
    yield "an idle connection", "KiB", (together - alone) * 1024 / clients


def _many(clients: int) -> Iterator[tuple[str, str, float]]:
    with facing(BRIDGE["uvloop"], clients) as pair:
        latencies, _ = pair.paced(10, 50)
        yield "events that arrived", "of all", 1.0  # the load generator fails when one is missing
        yield "p99 of many at once", "ms", percentile(latencies, 0.99)
        yield "many at once", "MiB", resident(pair.ready["pid"])


def _cost(few: int, more: int, many: int, idle: int) -> Iterator[tuple[str, str, float]]:
    for clients, bystanders in ((few, 0), (more, 0), (many, 0), (few, idle)):
        with contextlib.ExitStack() as stack:
            pair = stack.enter_context(facing(BRIDGE["uvloop"], clients))
            if bystanders:
                stack.enter_context(subscribers(pair.ready["port"], bystanders, dialect="idle"))
            pair.burst(_TURN, _TURN)
            yield _name(clients, bystanders), "us a delivery", pair.burst(200, _TURN).us


def _name(clients: int, bystanders: int = 0) -> str:
    return f"CPU, {clients:,} subscribers" + (f" beside {bystanders:,} idle" if bystanders else "")
