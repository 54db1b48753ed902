"""Server-sent events, long polls and conditional polls: what is special to each. Resuming is in test_resume.py."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from taskcopilot.web.keys import HUB
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until


async def create(server: RunningServer, count: int = 1, **metadata: Any) -> None:
    """Create tasks."""
    for _ in range(count):
        await server.call("task_create", title="t", metadata=metadata)


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
