"""Paced fan-out: a hundred events a second to five hundred subscribers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.contest import BRIDGE, NODE, PEERS, RAW, facing
from bench.result import Plan, Result, Row, at_most, loops, percentile

__all__ = ["run"]

CLIENTS: Final = 500
RATE: Final = 100

_REGION: Final = """\
100 events of 350 bytes a second, one at a time, to 500 subscribers, for five seconds. Latency: from the publication
inside the server until a subscriber's process has read the event, of every 25th subscriber, so that the load
generator's own time for the 500 is in it. CPU: user and kernel time of the server's process, a delivery, the wait
between events included. Compared with a server that does nothing but encode once and `transport.write` to each."""


def run(plan: Plan) -> Result:
    """Measure the bridge and the loop of writes on both event loops, and Node."""
    latencies: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    for _ in range(plan.repeats):
        for name, slow, cost in _round(plan.size(50, 500)):
            latencies.setdefault(name, []).append(slow)
            cpu.setdefault(name, []).append(cost)
    slow_rows = [Row(f"p99, {name}", "ms", values) for name, values in latencies.items()]
    cost_rows = [Row(f"CPU, {name}", "us a delivery", values) for name, values in cpu.items()]
    found = {row.what: row.median for row in (*slow_rows, *cost_rows)}
    name = RAW["uvloop"].name
    claims = [
        at_most("paced: p99 publish-to-receive below 10 ms", found["p99, bridge"], 10, "ms"),
        at_most(
            "paced: CPU a delivery within 1.25 times the transport.write loop's",
            found["CPU, bridge"] / found[f"CPU, {name}"],
            1.25,
            "times",
        ),
    ]
    notes = [f"{peer.name}: not measured, {peer.missing()}" for peer in PEERS if peer is NODE and peer.missing()]
    notes.append(loops(found, "CPU, bridge", "CPU, bridge on asyncio", "us CPU a delivery"))
    notes.append(loops(found, "p99, bridge", "p99, bridge on asyncio", "ms at p99"))
    with facing(BRIDGE["uvloop"], CLIENTS) as pair:
        notes.append(pair.profile("paced delivery", lambda: pair.paced(RATE, plan.size(50, 500))))
    return Result("paced", "Paced fan-out", _REGION, [*slow_rows, *cost_rows], claims, notes)


def _round(count: int) -> Iterator[tuple[str, float, float]]:
    everybody = (*BRIDGE.values(), *RAW.values(), *((NODE,) if not NODE.missing() else ()))
    for contestant in everybody:
        with facing(contestant, CLIENTS) as pair:
            pair.paced(RATE, 20)
            latencies, cpu = pair.paced(RATE, count)
            yield contestant.name, percentile(latencies, 0.99), cpu
