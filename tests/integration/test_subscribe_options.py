"""The options of subscribe over real sockets, alone and together: less traffic, and nothing that matters left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import orjson
import pytest

from taskcopilot.bridge.options import MAX_BATCH_EVENTS, MAX_BATCH_MS, MAX_LAST, MAX_TYPE_LENGTH, MAX_TYPES
from taskcopilot.events import Payload, StreamCompleted, StreamProgress
from taskcopilot.store.event_log import PAGE
from taskcopilot.store.transaction import Tx
from taskcopilot.web import past
from taskcopilot.web.keys import HUB
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE


@pytest.fixture
async def socket(server: RunningServer) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A raw client."""
    async with server.http.ws_connect("/ws") as opened:
        yield opened


async def hear(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message."""
    return orjson.loads((await asyncio.wait_for(socket.receive(), DEADLINE)).data)


async def ask(socket: aiohttp.ClientWebSocketResponse, *topics: str, **options: Any) -> dict[str, Any]:
    """Subscribe, and return the answer."""
    message = {"type": "subscribe", "id": 1, "payload": {"topics": list(topics), **options}}
    await socket.send_str(orjson.dumps(message).decode())
    return await hear(socket)


async def create(server: RunningServer, count: int = 1, **metadata: Any) -> None:
    """Create tasks."""
    for _ in range(count):
        await server.call("task_create", title="t", metadata=metadata)


async def test_a_filter_chooses_types(server: RunningServer, socket: aiohttp.ClientWebSocketResponse) -> None:
    """S1: globs over event types, per subscribe."""
    await ask(socket, "*", filter={"eventTypes": ["stream.*"]})
    await create(server, streamId="A")
    assert (await hear(socket))["payload"]["eventType"] == "stream.progress"


async def test_last_brings_the_newest_matching_events(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S2: at most so many, in order, and then what is new."""
    await create(server, 5, streamId="A")
    await ask(socket, "task:*", last=2)
    assert [(await hear(socket))["seq"] for _ in range(2)] == [7, 9]
    await create(server)
    assert (await hear(socket))["seq"] == 11


async def test_a_snapshot_comes_before_the_events_after_it(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S3: the state of what matches as of a number, then exactly what is later."""
    await create(server, 2, streamId="A")
    await create(server, streamId="B")
    assert (await ask(socket, "stream:A", "task:*", snapshot=True))["type"] == "subscribed"
    snapshot = await hear(socket)
    assert (snapshot["type"], snapshot["payload"]["seq"]) == ("snapshot", 6)
    assert [stream["streamId"] for stream in snapshot["payload"]["streams"]] == ["A"]
    assert snapshot["payload"]["streams"][0]["totalTasks"] == 2
    assert len(snapshot["payload"]["tasks"]) == 3
    await create(server, streamId="A")
    assert [(await hear(socket))["seq"] for _ in range(2)] == [7, 8]


async def test_a_batch_brings_many_events_in_one_message(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S4: as soon as there are so many of them."""
    await ask(socket, "task:*", batch={"maxMs": 10_000, "maxEvents": 3})
    await create(server, 3)
    batch = await hear(socket)
    assert batch["type"] == "batch"
    assert [event["seq"] for event in batch["payload"]["events"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"since": 1, "last": 2}, "last"),
        ({"last": 0}, "last"),
        ({"last": True}, "last"),
        ({"last": MAX_LAST + 1}, "last"),
        ({"snapshot": "yes"}, "snapshot"),
        ({"snapshot": True, "since": 1}, "snapshot"),
        ({"filter": []}, "filter"),
        ({"filter": {"types": ["*"]}}, "filter.types"),
        ({"filter": {"eventTypes": []}}, "filter.eventTypes"),
        ({"filter": {"eventTypes": [5]}}, "filter.eventTypes"),
        ({"filter": {"eventTypes": ["task.*"] * (MAX_TYPES + 1)}}, "filter.eventTypes"),
        ({"filter": {"eventTypes": ["x" * (MAX_TYPE_LENGTH + 1)]}}, "filter.eventTypes"),
        ({"batch": {}}, "batch.maxMs"),
        ({"batch": {"maxMs": 0}}, "batch.maxMs"),
        ({"batch": {"maxMs": MAX_BATCH_MS + 1}}, "batch.maxMs"),
        ({"batch": {"maxMs": 5, "maxEvents": MAX_BATCH_EVENTS + 1}}, "batch.maxEvents"),
        ({"conflate": ["task.completed"]}, "conflate"),
        ({"conflate": "stream.progress"}, "conflate"),
    ],
)
async def test_a_bad_option_is_named_and_nothing_is_applied(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse, options: dict[str, Any], field: str
) -> None:
    """S5, R2: terminal events cannot be conflated away."""
    error = await ask(socket, "*", **options)
    assert (error["payload"]["code"], error["payload"]["field"], error["id"]) == ("WS_INVALID_MESSAGE", field, 1)
    assert server.app[HUB].statistics().patterns == 0


def progress(stream: str, completed: int) -> StreamProgress:
    """Return an event that the next of its stream makes old news."""
    counts = {"completed_tasks": completed, "in_progress_tasks": 0, "blocked_tasks": 0, "cancelled_tasks": 0}
    return StreamProgress(
        stream_id=stream, stream_name=stream, total_tasks=9, progress_percentage=0, last_updated="now", **counts
    )


async def record(server: RunningServer, payloads: Sequence[Payload]) -> None:
    """Commit events together."""

    def unit(tx: Tx) -> None:
        for payload in payloads:
            tx.emit(payload)

    await server.core.recorder.record(unit)


END = StreamCompleted(stream_id="A", stream_name="A", total_tasks=9, completed_at="now", duration=1)

NEWS = [progress("A", 1), progress("B", 1), END, progress("A", 2), progress("A", 3), END, progress("B", 2)]
"""Of these, 3 and 6 say that something has ended, 5 and 7 are the newest of their streams, and the rest is old news."""


def seqs(message: dict[str, Any]) -> list[int]:
    """Return the numbers of a batch."""
    assert message["type"] == "batch", message
    return [event["seq"] for event in message["payload"]["events"]]


async def test_conflation_brings_the_newest_of_each_topic(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S4: without batches too; what ends something is never left out, and the order stays."""
    await ask(socket, "stream:*", conflate=["stream.progress"])
    await record(server, NEWS)
    heard = [await hear(socket) for _ in range(4)]
    assert [(event["type"], event["seq"]) for event in heard] == [("event", seq) for seq in (3, 5, 6, 7)]
    await record(server, [END])
    assert (await hear(socket))["seq"] == 8


async def test_conflation_within_a_batch(server: RunningServer, socket: aiohttp.ClientWebSocketResponse) -> None:
    """S4: the batch counts what waited, and brings what is still news."""
    await ask(socket, "stream:*", conflate=["stream.progress"], batch={"maxMs": 10_000, "maxEvents": len(NEWS)})
    await record(server, NEWS)
    assert seqs(await hear(socket)) == [3, 5, 6, 7]


async def test_without_conflation_nothing_is_left_out(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """D1: it is a wish of one connection, and no other hears less."""
    async with server.http.ws_connect("/ws") as other:
        await ask(other, "stream:*", conflate=["stream.progress"])
        await ask(socket, "stream:*")
        await record(server, NEWS)
        assert [(await hear(socket))["seq"] for _ in NEWS] == [1, 2, 3, 4, 5, 6, 7]
        assert [(await hear(other))["seq"] for _ in range(4)] == [3, 5, 6, 7]


async def test_a_batch_goes_out_when_its_time_is_over(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S4: however few events there are."""
    await ask(socket, "task:*", batch={"maxMs": 20, "maxEvents": 1_000})
    for number in (1, 2):
        await create(server)
        assert seqs(await hear(socket)) == [number]


async def test_a_replay_comes_in_batches_too(server: RunningServer, socket: aiohttp.ClientWebSocketResponse) -> None:
    """S4, D4: never more events than were asked for, each marked; then the live ones."""
    await create(server, 5)
    await ask(socket, "task:*", since=0, batch={"maxMs": 10_000, "maxEvents": 2})
    batches = [await hear(socket) for _ in range(3)]
    assert list(map(seqs, batches)) == [[1, 2], [3, 4], [5]]
    assert all(event["replayed"] for batch in batches for event in batch["payload"]["events"])
    await create(server, 2)
    assert seqs(await hear(socket)) == [6, 7]


async def test_last_counts_what_the_filter_lets_through(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S1, S2: and what comes live is filtered the same."""
    await create(server, 4, streamId="A")
    await create(server, 3)
    await ask(socket, "*", last=2, filter={"eventTypes": ["stream.*"]})
    assert [(await hear(socket))["seq"] for _ in range(2)] == [6, 8]
    await create(server, 1, streamId="A")
    assert (await hear(socket))["seq"] == 13


async def test_last_looks_back_at_a_bounded_part_of_the_log(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: in whole pages; what hardly ever happens is not looked for through all of the past."""
    monkeypatch.setattr(past, "MAX_SCAN", 2 * PAGE)
    await record(server, [END, *[progress("B", 1)] * (PAGE - 2), END, *[progress("B", 1)] * (2 * PAGE - 1)])
    await ask(socket, "stream:A", last=2)
    assert (await hear(socket))["seq"] == PAGE
    await record(server, [END])
    assert (await hear(socket))["seq"] == 3 * PAGE


async def test_a_snapshot_is_of_all_and_the_events_after_it_are_filtered(
    server: RunningServer, socket: aiohttp.ClientWebSocketResponse
) -> None:
    """S1, S3, S4: state goes by topics, events by topics and types; the snapshot is no part of a batch."""
    await create(server, 2, streamId="A")
    options = {"filter": {"eventTypes": ["task.completed"]}, "batch": {"maxMs": 20, "maxEvents": 5}}
    assert (await ask(socket, "task:*", snapshot=True, **options))["type"] == "subscribed"
    snapshot = await hear(socket)
    tasks = [task["id"] for task in snapshot["payload"]["tasks"]]
    assert (snapshot["type"], snapshot["payload"]["seq"], len(tasks)) == ("snapshot", 4, 2)
    await server.call("task_update", id=tasks[0], status="completed")
    (event,) = (await hear(socket))["payload"]["events"]
    assert (event["payload"]["topic"], event["payload"]["eventType"]) == (f"task:{tasks[0]}", "task.completed")


async def test_a_snapshot_and_what_follows_it_are_the_whole(server: RunningServer) -> None:
    """S3: taken while agents work, every task is in the snapshot or in an event after it, and never in both."""
    for round_ in range(20):
        async with server.http.ws_connect("/ws") as socket:
            writing = asyncio.create_task(create(server, 6))
            for _ in range(round_ * 3):
                await asyncio.sleep(0)
            await ask(socket, "task:*", snapshot=True)
            known = [task["id"] for task in (await hear(socket))["payload"]["tasks"]]
            while len(known) < 6 * (round_ + 1):
                event = await hear(socket)
                known.append(event["payload"]["topic"].removeprefix("task:"))
            await writing
            assert len(set(known)) == len(known)
