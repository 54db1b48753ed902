"""Resuming on every path: one table of cursors, one way to tell what is missing, and no path that knows better.

The promises are D1 to D5, D8 and H1, H2, H7 to H10 of docs/protocol.md. What the paths do differently is written
in `Path`: polls mark nothing as replayed, and begin with the oldest event when they bring no cursor.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from taskcopilot.events import TaskCreated
from taskcopilot.store import event_log
from taskcopilot.store.transaction import Tx
from tests.helpers.paths import PATHS, Facts, Path, RefusedError
from tests.helpers.server import RunningServer
from tests.integration.conftest import Serve

Size = Callable[[int, int], int]


@pytest.fixture(params=PATHS)
async def path(request: pytest.FixtureRequest, server: RunningServer) -> AsyncIterator[Path]:
    """A client on each of the paths."""
    path = PATHS[request.param](server)
    yield path
    await path.close()


async def write(server: RunningServer, count: int) -> None:
    """Create tasks of stream A: two events each, of the task and then of the stream."""
    for _ in range(count):
        await server.call("task_create", title="t", metadata={"streamId": "A"})


async def prune(server: RunningServer, up_to: int) -> None:
    """Let retention remove the events up to a number."""
    keep = server.core.recorder.head - up_to
    await server.core.recorder.record(lambda tx: event_log.prune(tx, keep, ""))


@dataclass(frozen=True)
class Row:
    """A cursor of a client (`E` is the epoch of the log), what the log holds, and what it must get."""

    name: str
    cursor: str | None
    seqs: tuple[int, ...]
    gap: tuple[int, int] | None = None
    events: int = 12
    pruned: int = 0
    topics: tuple[str, ...] = ("*",)
    types: tuple[str, ...] = ()

    def wants(self, seq: int) -> bool:
        """Tell whether it wants an event that comes later: odd ones are of the task, even ones of the stream."""
        return (self.topics, self.types) == (("*",), ()) or seq % 2 == self.seqs[0] % 2


TABLE = [
    Row("at the head", "E:12", ()),
    Row("a few behind", "E:9", (10, 11, 12)),
    Row("a bare number", "9", (10, 11, 12)),
    Row("one behind", "E:11", (12,)),
    Row("from the start", "E:0", tuple(range(1, 13))),
    Row("pruned", "E:2", tuple(range(6, 13)), gap=(3, 5), pruned=5),
    Row("the last that was pruned", "E:5", tuple(range(6, 13)), pruned=5),
    Row("one before the last that was pruned", "E:4", tuple(range(6, 13)), gap=(5, 5), pruned=5),
    Row("all pruned", "E:2", (), gap=(3, 12), pruned=12),
    Row("all pruned, at the head", "E:12", (), pruned=12),
    Row("one past the head", "E:13", (), gap=(1, 12)),
    Row("far past the head", "E:112", (), gap=(1, 12)),
    Row("the largest number", "999999999999999999", (), gap=(1, 12)),
    Row("another epoch", "other:3", (), gap=(1, 12)),
    Row("another epoch, at our head", "other:12", (), gap=(1, 12)),
    Row("another epoch, from the start", "other:0", (), gap=(1, 12)),
    Row("another epoch, and an empty log", "other:3", (), gap=(0, 0), events=0),
    Row("an empty log", "E:0", (), events=0),
    Row("past the head of an empty log", "E:1", (), gap=(0, 0), events=0),
    Row("topics", "E:4", (5, 7, 9, 11), topics=("task:*",)),
    Row("types", "E:4", (6, 8, 10, 12), types=("stream.*", "agent.*")),
    Row("topics and types", "E:4", (6, 8, 10, 12), topics=("stream:A", "task:*"), types=("stream.progress",)),
    Row("topics, pruned", "E:2", (7, 9, 11), gap=(3, 6), pruned=6, topics=("task:*",)),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_a_cursor_gets_what_is_after_it_and_hears_of_what_is_gone(
    server: RunningServer, path: Path, row: Row
) -> None:
    """D4, D5, H2, H7: exactly what is kept and matches, ascending; then what is new, with no hole."""
    await write(server, row.events // 2)
    await prune(server, row.pruned)
    epoch = server.core.recorder.epoch
    assert row.cursor
    facts = await path.open(row.cursor.replace("E", epoch), row.topics, row.types)
    assert (facts.epoch, facts.gap) == (epoch, row.gap)
    assert await path.take(len(row.seqs)) == [(seq, path.marks_replay) for seq in row.seqs]
    await write(server, 2)
    fresh = [seq for seq in range(row.events + 1, row.events + 5) if row.wants(seq)]
    assert await path.take(len(fresh)) == [(seq, False) for seq in fresh]


async def test_without_a_cursor_the_log_names_itself(server: RunningServer, path: Path) -> None:
    """D3, H1: sockets and streams begin at the head; polls with the oldest event that is kept."""
    await write(server, 3)
    await prune(server, 2)
    facts = await path.open(None)
    assert facts == Facts(server.core.recorder.epoch, 6 if path.starts_at_head else 2, None)
    await write(server, 1)
    expected = range(facts.start + 1, 9)
    assert await path.take(len(expected)) == [(seq, False) for seq in expected]


JUNK = [
    "-1",
    "1.5",
    "1e3",
    "NaN",
    "9223372036854775808",
    "0x10",
    "x",
    ":",
    "E:",
    ":5",
    "a b:1",
    "\u0661",
    "null",
    "1:2:3",
]


@pytest.mark.parametrize("junk", JUNK)
async def test_what_is_no_cursor_is_refused_by_name(server: RunningServer, path: Path, junk: str) -> None:
    """H2, H4, S5: and the next request is served as if nothing had been."""
    await write(server, 1)
    with pytest.raises(RefusedError) as caught:
        await path.open(junk)
    assert (caught.value.code, caught.value.field) in {("WS_INVALID_MESSAGE", "since"), ("INVALID_ARGUMENT", "since")}
    assert (await path.open("0")).gap is None
    assert [seq for seq, _ in await path.take(2)] == [1, 2]


@pytest.mark.parametrize("junk", ["", -1, 1.5, 2**63, True, [1], {"seq": 1}])
async def test_a_socket_takes_no_json_for_a_cursor_but_text_and_whole_numbers(server: RunningServer, junk: Any) -> None:
    """S5, R5: in a query everything is text, and what is empty is absent."""
    path = PATHS["websocket"](server)
    with pytest.raises(RefusedError, match="since"):
        await path.open(junk)
    assert (await path.open("0")).gap is None
    await path.close()


async def test_a_cursor_that_another_process_gave_a_moment_ago_is_no_gap(serve: Serve, path: Path) -> None:
    """D5: the log decides, not how far this process has published."""
    slow = await serve()
    client = type(path)(slow)
    await write(path._server, 1)
    assert slow.core.recorder.head == 0
    facts = await client.open("2")
    assert (facts.start, facts.gap) == (2, None)
    await write(slow, 1)
    assert [seq for seq, _ in await client.take(2)] == [3, 4]
    await client.close()


async def test_overlapping_patterns_bring_each_event_once(server: RunningServer, path: Path) -> None:
    """D2: of the past and of the present."""
    await write(server, 3)
    await path.open("2", ["task:*", "*", "*:A", "stream:?", "task:*"])
    await write(server, 1)
    assert [seq for seq, _ in await path.take(6)] == [3, 4, 5, 6, 7, 8]


async def test_a_second_request_on_one_socket_brings_only_what_the_first_did_not(server: RunningServer) -> None:
    """D4: two subscribes with overlapping patterns; each event comes once on the connection."""
    await write(server, 3)
    socket = PATHS["websocket"](server)
    await socket.open("2", ["task:*"])
    assert [seq for seq, _ in await socket.take(2)] == [3, 5]
    await socket.open("0", ["*", "task:*"])
    await write(server, 1)
    assert [seq for seq, _ in await socket.take(6)] == [1, 2, 4, 6, 7, 8]
    await socket.close()


async def test_a_past_longer_than_a_page_comes_whole(serve: Serve, path: Path) -> None:
    """D4, H1: from the stored log, page by page, while the log grows."""
    server = path._server

    def many(tx: Tx) -> None:
        for number in range(600):
            tx.emit(TaskCreated(task_id=f"TASK-{number}", task_title="t", created_at=tx.at))

    await server.core.recorder.record(many)
    await server.core.recorder.record(many)
    restarted = await serve()
    path = type(path)(restarted)
    await path.open("50")
    await write(restarted, 1)
    assert [seq for seq, _ in await path.take(1_152)] == list(range(51, 1_203))
    await path.close()


async def test_the_position_moves_past_what_did_not_match(server: RunningServer, path: Path) -> None:
    """D8, H1, H7: who asked for rare events resumes from where nothing is missed, and is told of no gap."""
    await write(server, 2)
    await path.open("0", ["stream:*"])
    assert [seq for seq, _ in await path.take(2)] == [2, 4]
    await server.call("task_create", title="outside of streams")
    position = await path.position()
    assert position == f"{server.core.recorder.epoch}:5"
    await path.close()
    await prune(server, 5)
    assert (await path.open(position, ["stream:*"])).gap is None
    await write(server, 1)
    assert [seq for seq, _ in await path.take(1)] == [7]


@pytest.mark.timeout(300)
async def test_what_is_published_during_the_request_comes_once(server: RunningServer, path: Path, size: Size) -> None:
    """D3, D4: what was replayed and what came live are the log, whatever the moment."""
    chance = random.Random(7)
    for round_ in range(size(30, 200)):
        client = type(path)(server)
        cursor = None if round_ % 4 == 3 else str(max(0, server.core.recorder.head - chance.randrange(6)))
        last = server.core.recorder.head + 10
        writing = asyncio.create_task(write(server, 5))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        facts = await client.open(cursor)
        expected = list(range((facts.start if cursor is None else int(cursor)) + 1, last + 1))
        assert [seq for seq, _ in await client.take(len(expected))] == expected
        await writing
        await client.close()
        if not client.starts_at_head:
            await prune(server, server.core.recorder.head - 6)
