"""The steps of an event's way, one by one, under pytest-benchmark. Run by `scripts/bench/run --only micro`.

Not named test_*.py, so that the default run does not collect it.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.bridge.frames import text_frame
from taskcopilot.bridge.pattern_index import PatternIndex
from taskcopilot.bridge.protocol import encode_event, parse
from taskcopilot.bridge.window import Encoded
from taskcopilot.bridge.wire import WebSocketWire
from taskcopilot.events import Change, Event, TaskUpdated
from taskcopilot.store import event_log
from taskcopilot.topics import Selector, glob_match
from tests.helpers.bridge import core
from tests.helpers.clock import FakeClock

AT = "2026-01-08T12:00:00.000Z"
TASK = "TASK-0651fa2d-35c4-4f9e-a180-277a2e8e6e0f"
PAYLOAD = TaskUpdated(
    task_id=TASK,
    task_title="Write the report",
    status="in_progress",
    stream_id="Stream-A",
    changes=[Change(field="notes", old_value=None, new_value="half of it is done")],
    updated_at=AT,
)
EVENT = Event(100_000, AT, f"task:{TASK}", PAYLOAD.type, PAYLOAD.encode())
WIRE = WebSocketWire(FakeClock(datetime(2026, 1, 8, tzinfo=UTC)))


def test_encode_payload(benchmark: Any) -> None:
    """A typed payload becomes JSON, in the unit of work."""
    assert benchmark(PAYLOAD.encode) == EVENT.data


def test_encode_frame(benchmark: Any) -> None:
    """An event becomes a WebSocket frame, once."""
    assert benchmark(lambda: text_frame(encode_event(EVENT))).endswith(b"}")


@pytest.mark.parametrize("count", [1, 64])
def test_join(benchmark: Any, count: int) -> None:
    """Frames become the bytes of one write."""
    entries = [Encoded(EVENT) for _ in range(count)]
    assert len(benchmark(WIRE.join, entries)) == count * len(entries[0].frame)


def test_match_known_topic(benchmark: Any) -> None:
    """A topic that was asked for before, among 5,000 patterns."""
    index = filled()
    assert benchmark(index.match, "task:7-7", "task.updated") == (7,)


def test_match_new_topic(benchmark: Any) -> None:
    """A topic that was not, among as many ids."""
    index = filled()
    topics = itertools.cycle([f"task:{client}-{number}" for client in range(100) for number in range(50)])
    assert benchmark(lambda: len(index.match(next(topics), "task.updated"))) == 1


def test_glob(benchmark: Any) -> None:
    """One pattern with wildcards against one topic."""
    assert benchmark(glob_match, "task:TASK-*-a180-*", EVENT.topic)


def test_parse_request(benchmark: Any) -> None:
    """A client's subscription becomes a value."""
    assert benchmark(parse, '{"type":"subscribe","id":1,"payload":{"topics":["task:*","stream:Stream-A"],"since":41}}')


def test_append(benchmark: Any, tmp_path: Path) -> None:
    """Three events are numbered and written, inside a transaction that is not committed here."""
    asyncio.run(make_database(tmp_path))
    connection = sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    emitted = [(EVENT.topic, EVENT.type, EVENT.data)] * 3
    assert len(benchmark(event_log.append, connection, AT, emitted)) == 3
    connection.execute("ROLLBACK")
    connection.close()


async def make_database(directory: Path) -> None:
    """Leave an empty database behind."""
    async with core(directory):
        pass


def filled() -> PatternIndex[int]:
    """A hundred clients with fifty ids each."""
    index: PatternIndex[int] = PatternIndex()
    for client in range(100):
        index.add(client, [Selector.of(f"task:{client}-{number}") for number in range(50)])
    return index
