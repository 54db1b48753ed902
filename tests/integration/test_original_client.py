"""The original's client, unchanged in shape, against this server: over the socket and by polling."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.original_client import OriginalClient
from tests.helpers.server import RunningServer
from tests.helpers.waiting import until

Seen = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def client(server: RunningServer) -> Iterator[OriginalClient]:
    """A client of the running bridge, not yet connected."""
    client = OriginalClient(server.url)
    yield client
    if client.thread.ident is not None:
        client.disconnect()


async def finish(server: RunningServer, stream: str, title: str = "t") -> str:
    """Create a task in a stream, start it and complete it."""
    task = (await server.call("task_create", title=title, metadata={"streamId": stream}))["id"]
    for status in ("in_progress", "completed"):
        await server.call("task_update", id=task, status=status)
    return task


async def test_it_hears_events_over_the_socket(server: RunningServer, client: OriginalClient) -> None:
    """Its messages are understood, and every key that it indexes is there."""
    assert await asyncio.to_thread(client.connect)
    seen: Seen = []
    await asyncio.to_thread(client.subscribe, ["stream:Stream-A", "task:*"], lambda *event: seen.append(event))
    await until(lambda: client.acknowledged)
    assert client.acknowledged[0]["topics"] == ["stream:Stream-A", "task:*"]
    task = await finish(server, "Stream-A")
    await finish(server, "Stream-B")
    await until(lambda: len(seen) >= 14)
    assert [(topic, kind) for topic, kind, _ in seen if topic != "stream:Stream-A"][:5] == [
        (f"task:{task}", kind)
        for kind in ("task.created", "task.updated", "task.status_changed", "task.updated", "task.status_changed")
    ]
    progress = [data["progressPercentage"] for _, kind, data in seen if kind == "stream.progress"]
    assert progress == [0, 0, 100]
    assert not [topic for topic, _, _ in seen if topic == "stream:Stream-B"]
    await asyncio.to_thread(client.disconnect)


async def test_its_alert_example_works(server: RunningServer, client: OriginalClient) -> None:
    """The specification's example reads `newStatus` and `blockedReason` of status changes."""
    assert await asyncio.to_thread(client.connect)
    alerts: list[str] = []

    def on_task_status(_topic: str, _kind: str, data: dict[str, Any]) -> None:
        if data.get("newStatus") == "blocked":
            alerts.append(f"Task {data['taskId']} blocked: {data['blockedReason']}")

    await asyncio.to_thread(client.subscribe, ["task:*"], on_task_status)
    await until(lambda: client.acknowledged)
    task = (await server.call("task_create", title="t"))["id"]
    await server.call("task_update", id=task, status="blocked", blockedReason="no key")
    await until(lambda: alerts)
    assert alerts == [f"Task {task} blocked: no key"]
    await asyncio.to_thread(client.disconnect)


async def test_it_answers_pings_and_so_stays_connected(server: RunningServer, client: OriginalClient) -> None:
    """The shape of the ping is the original's, with a number more."""
    assert await asyncio.to_thread(client.connect)
    for _ in range(4):
        await until(lambda: server.clock.sleeping(30))
        client.pinged.clear()
        server.clock.advance(30)
        await until(client.pinged.is_set)
        answers = len(client.acknowledged)
        await asyncio.to_thread(client.subscribe, ["task:*"], lambda *_: None)
        await until(lambda count=answers: len(client.acknowledged) > count)  # by then the bridge has read the pong
    assert client.ws.keep_running
    await asyncio.to_thread(client.disconnect)


async def test_its_errors_have_code_and_message(server: RunningServer, client: OriginalClient) -> None:
    """It prints both."""
    assert await asyncio.to_thread(client.connect)
    await asyncio.to_thread(client.subscribe, ["nonsense"], lambda *_: None)
    await until(lambda: client.errors)
    assert client.errors[0][0] == "WS_INVALID_TOPIC"
    await asyncio.to_thread(client.disconnect)


async def test_its_polling_delivers(server: RunningServer, client: OriginalClient) -> None:
    """Against the original server it delivered nothing at all: the fields and the route that it needs are here."""
    task = await finish(server, "Stream-A")
    seen: Seen = []
    for pattern in ("stream:*", f"task:{task}"):
        client.subscriptions[pattern] = [lambda *event: seen.append(event)]
    await asyncio.to_thread(client.poll_once)
    assert [(topic, kind) for topic, kind, _ in seen] == [
        ("stream:Stream-A", "stream.progress"),
        (f"task:{task}", "task.updated"),
    ]
    assert (seen[0][2]["totalTasks"], seen[0][2]["progressPercentage"]) == (1, 100)
    assert (seen[1][2]["taskId"], seen[1][2]["status"]) == (task, "completed")
    await asyncio.to_thread(client.poll_once)
    assert len(seen) == 2
