"""The options of subscribe, server-sent events, long polls and conditional polls, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from taskcopilot.web.keys import HUB
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until


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
        ({"snapshot": "yes"}, "snapshot"),
        ({"snapshot": True, "since": 1}, "snapshot"),
        ({"filter": []}, "filter"),
        ({"filter": {"types": ["*"]}}, "filter.types"),
        ({"filter": {"eventTypes": []}}, "filter.eventTypes"),
        ({"filter": {"eventTypes": [5]}}, "filter.eventTypes"),
        ({"batch": {}}, "batch.maxMs"),
        ({"batch": {"maxMs": 0}}, "batch.maxMs"),
        ({"batch": {"maxMs": 5, "maxEvents": 5_000}}, "batch.maxEvents"),
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


async def block(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the fields of the next server-sent event."""
    fields: dict[str, str] = {}
    while (line := (await asyncio.wait_for(response.content.readline(), DEADLINE)).decode().rstrip("\n")) or not fields:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
    return fields


async def test_server_sent_events_are_of_their_media_type_and_ask_to_come_back(server: RunningServer) -> None:
    """H7: what a browser and a proxy go by; where delivery starts is known before the first event."""
    await create(server)
    async with server.http.get("/api/events/stream", params={"topics": "task:*"}) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (stream.headers["Cache-Control"], stream.headers["X-Accel-Buffering"]) == ("no-store", "no")
        ready = await block(stream)
        assert (ready["retry"], ready["event"]) == ("1000", "ready")
        assert ready["id"] == f"{server.core.recorder.epoch}:1"


async def test_a_long_poll_ends_with_the_event_or_with_the_time(server: RunningServer) -> None:
    """H8: and nobody is left waiting."""
    since = f"{server.core.recorder.epoch}:0"
    waiting = asyncio.create_task(server.get("/api/events", since=since, topics="stream:*", wait="60"))
    await until(lambda: server.app[HUB].statistics().members)
    await create(server)
    assert not waiting.done()
    await create(server, streamId="A")
    page = await waiting
    assert [event["seq"] for event in page["events"]] == [3]
    assert (await server.get("/api/events", since=page["next"], wait="1"))["events"] == []
    await until(lambda: not server.app[HUB].statistics().members)


async def test_an_unchanged_page_is_not_sent_again(server: RunningServer) -> None:
    """H9: ETag and 304."""
    await create(server)
    async with server.http.get("/api/events", params={"since": "1"}) as first:
        tag = first.headers["ETag"]
    async with server.http.get("/api/events", params={"since": "1"}, headers={"If-None-Match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")
    await create(server)
    async with server.http.get("/api/events", params={"since": "1"}, headers={"If-None-Match": tag}) as changed:
        assert changed.status == 200
