"""Routing: from an event to those who want it, with many patterns and many clients that do not want it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench.processes import in_process
from bench.result import Plan, Result, Row, at_most
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.topics import Selector

__all__ = ["run"]

CLIENTS: Final = 100
PATTERNS: Final = 50
BYSTANDERS: Final = 1_000
"""Further clients, of which none matches."""

_REGION: Final = """\
One look-up, topic to clients, in the index that the hub asks for every event: 100 clients with 50 patterns each, all
different; every event is for one client. `new topics`: no topic comes twice; `known topics`: 100 of them in turns.
CPU time; encoding and writing are not in it."""

Patterns = Callable[[int], list[str]]
"""The patterns of a client."""


def ids(client: int) -> list[str]:
    """Fifty tasks by their ids."""
    return [f"task:TASK-{client}-{number}" for number in range(PATTERNS)]


def mixed(client: int) -> list[str]:
    """Forty-five ids, four prefixes, one entity-wide type of id."""
    return [*ids(client)[:45], *(f"stream:Stream-{client}-{letter}*" for letter in "ABCD"), f"agent:{client}-*"]


def prefixes(client: int) -> list[str]:
    """Fifty prefixes."""
    return [f"task:TASK-{client}-{number}*" for number in range(PATTERNS)]


def run(plan: Plan) -> Result:
    """Measure three mixes of patterns, and the most usual one among bystanders."""
    count = plan.size(500, 20_000)
    runs: dict[str, list[float]] = {}
    for _ in range(plan.repeats):
        for name, value in in_process(_round, count):
            runs.setdefault(name, []).append(value)
    rows = [Row(name, "us an event", values) for name, values in runs.items()]
    found = {row.what: row.median for row in rows}
    new = "new topics, below 5 us an event"
    growth = found["mixed, known topics, among bystanders"] / found["mixed, known topics"]
    growth_of_new = found["mixed, new topics, among bystanders"] / found["mixed, new topics"]
    claims = [
        at_most("5,000 patterns (mixed), known topics, below 5 us an event", found["mixed, known topics"], 5, "us"),
        at_most(f"5,000 patterns (mixed), {new}", found["mixed, new topics"], 5, "us"),
        at_most(f"5,000 patterns (ids), {new}", found["ids, new topics"], 5, "us"),
        at_most(f"5,000 patterns (prefixes), {new}", found["prefixes, new topics"], 5, "us"),
        at_most("1,000 clients more that do not match, known topics: 1.2 times at most", growth, 1.2, "times"),
        at_most("1,000 clients more that do not match, new topics: 1.2 times at most", growth_of_new, 1.2, "times"),
    ]
    notes = [
        "`ids` are 50 exact topics a client, `mixed` 45 ids and 5 prefixes, `prefixes` 50 such as `task:A-*`.",
        (
            "The bystanders hold the same mix as the others: 50,000 patterns more. A new topic takes as many look-ups "
            "as without them, in larger tables."
        ),
    ]
    return Result("routing", "Routing", _REGION, rows, claims, notes)


def _round(count: int) -> list[tuple[str, float]]:
    return list(_measured(count))


def _measured(count: int) -> Iterator[tuple[str, float]]:
    for name, patterns, topic in (
        ("ids", ids, "task:TASK-{}-{}"),
        ("mixed", mixed, "stream:Stream-{}-A{}"),
        ("prefixes", prefixes, "task:TASK-{}-7{}"),
    ):
        index = _index(patterns, CLIENTS)
        yield f"{name}, known topics", _time(index, _known(topic, count))
        yield f"{name}, new topics", _time(index, _new(patterns, topic, count))
    among = _index(mixed, CLIENTS + BYSTANDERS)
    yield "mixed, known topics, among bystanders", _time(among, _known("stream:Stream-{}-A{}", count))
    yield "mixed, new topics, among bystanders", _time(among, _new(mixed, "stream:Stream-{}-A{}", count))


def _index(patterns: Patterns, clients: int) -> PatternIndex[int]:
    index: PatternIndex[int] = PatternIndex()
    for client in range(clients):
        index.add(client, [Selector.of(text) for text in patterns(client)])
    return index


def _known(topic: str, count: int) -> list[str]:
    return [topic.format(number % CLIENTS, 0) for number in range(CLIENTS + count)]


def _new(patterns: Patterns, topic: str, count: int) -> list[str]:
    if patterns is ids:
        return [text for client in range(CLIENTS) for text in ids(client)][:count]
    return [topic.format(number % CLIENTS, f"-{number}") for number in range(count // 50)]


def _time(index: PatternIndex[int], topics: Sequence[str]) -> float:
    """Return us a look-up; when topics come again, the first look at each is not counted."""
    skip = 0 if len(set(topics)) == len(topics) else CLIENTS
    for topic in topics[:skip]:
        index.match(topic, "task.updated")
    began = time.process_time()
    found = sum(len(index.match(topic, "task.updated")) for topic in topics[skip:])
    took = time.process_time() - began
    if found != len(topics) - skip:
        raise RuntimeError(f"{found} matches of {len(topics) - skip} topics that match once")
    return took / (len(topics) - skip) * 1e6
