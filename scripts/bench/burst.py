"""Burst fan-out: a thousand events to five hundred subscribers, beside other systems."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench.contest import BRIDGE, NATS, NODE, NULL, PEERS, Burst, Contestant, facing
from bench.result import Claim, Plan, Result, Row, at_least, at_most, loops

__all__ = ["run"]

CLIENTS: Final = 500
TURN: Final = 64
_WARM_UP: Final = 64

_REGION: Final = """\
1,000 events of 350 bytes to 500 subscribers of one pattern, published from inside the server, 64 in each turn of its
event loop (what one commit brings at most); python-socketio gets a fifth of them, to save time. Time: from the first
publication until the last subscriber has read the last event. CPU: user and kernel time of the server's process
meanwhile, encoding and socket writes included, a delivery. NATS gets its events over TCP from a publisher on the load's
core, so its CPU includes parsing them. `through the recorder`: a thousand units of work, one event each, so commits to
disk are included. Server and load have a core each; each contestant is warmed up by 64 events."""

Runs = dict[str, list[Burst]]


def run(plan: Plan) -> Result:
    """Measure everybody in turns."""
    count = plan.size(100, 1_000)
    missing = {peer.name: peer.missing() for peer in PEERS}
    present = [peer for peer in PEERS if not missing[peer.name]]
    runs: Runs = {}
    for _ in range(plan.repeats):
        for name, burst in _round(present, count):
            runs.setdefault(name, []).append(burst)
    notes = [f"{name}: not measured, {reason}" for name, reason in missing.items() if reason]
    rows = _rows(runs)
    found = {row.what: row.median for row in rows}
    notes += [
        _profile(count),
        _headroom(runs),
        _noise(runs),
        loops(found, "CPU, bridge", "CPU, bridge on asyncio", "us CPU a delivery"),
    ]
    return Result("burst", "Burst fan-out", _REGION, rows, list(_claims(runs, found)), notes)


def _round(present: Sequence[Contestant], count: int) -> Iterator[tuple[str, Burst]]:
    yield NULL.name, _null()
    for contestant in (BRIDGE["uvloop"], BRIDGE["asyncio"], *present):
        with facing(contestant, CLIENTS) as pair:
            pair.burst(_WARM_UP, TURN)
            yield contestant.name, pair.burst(count // contestant.slowness, TURN)
            if contestant in BRIDGE.values():
                yield f"{contestant.name}, all in one turn", pair.burst(count, count)
                yield f"{contestant.name}, through the recorder", pair.burst(count, TURN, "recorded")
    for contestant in (BRIDGE["uvloop"], *(peer for peer in present if peer is NODE)):
        with facing(contestant, CLIENTS, groups=50) as pair:
            pair.burst(_WARM_UP, TURN)
            yield f"{contestant.name}, 50 groups", pair.burst(count, TURN)


def _null() -> Burst:
    with facing(NULL, CLIENTS) as pair:
        pair.server.ask(do="prepare", turn=1_000)
        pair.burst(1_000, 1_000)
        return pair.burst(5_000, 1_000)


def _rows(runs: Runs) -> list[Row]:
    rates = [Row(name, "M deliveries/s", [burst.rate / 1e6 for burst in found]) for name, found in runs.items()]
    costs = [Row(f"CPU, {name}", "us a delivery", [burst.us for burst in found]) for name, found in runs.items()]
    return [*rates, *costs]


def _claims(runs: Runs, found: Mapping[str, float]) -> Iterator[Claim]:
    if NODE.name in runs:
        for what, suffix, limit in (("one pattern", "", 10), ("50 groups", ", 50 groups", 5)):
            ours, theirs = f"bridge{suffix}", f"{NODE.name}{suffix}"
            text = f"burst, {what}: at least {limit} times Node ws in deliveries"
            yield at_least(f"{text}/s", found[ours] / found[theirs], limit, "times")
            yield at_least(f"{text} per second of CPU", found[f"CPU, {theirs}"] / found[f"CPU, {ours}"], limit, "times")
    if NATS.name in runs:
        ratio = found["CPU, bridge"] / found[f"CPU, {NATS.name}"]
        yield at_most("burst: no more CPU a delivery than NATS", ratio, 1, "of its CPU")


def _noise(runs: Runs) -> str:
    """Say how much of the time the servers stood still because of other work on the machine."""
    shares = [burst.waited / burst.seconds for bursts in runs.values() for burst in bursts]
    return f"The servers waited for their core for {statistics.median(shares):.0%} of the time (median of all bursts)."


def _profile(count: int) -> str:
    with facing(BRIDGE["uvloop"], CLIENTS) as pair:
        pair.burst(_WARM_UP, TURN)
        return pair.profile("the burst", lambda: pair.burst(count, TURN))


def _headroom(runs: Runs) -> str:
    """Say how fast the load generator alone is, and how busy it was with the fastest."""
    capacity = max(burst.deliveries / burst.load_cpu for burst in runs[NULL.name])
    busy = max(burst.load_cpu / burst.seconds for burst in runs["bridge"])
    return (
        f"The load generator reads and counts {capacity / 1e6:.1f} M events/s at most (null server, by its own CPU "
        f"time); with the bridge it was busy for {busy:.0%} of the time at most."
    )
