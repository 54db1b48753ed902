"""The resources of MCP, over both transports and in both eras: read, listed, and told of when they change."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated

from tests.helpers.agents import EVERY_WAY, Way, talking
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that succeeds, and return its answer."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.structured_content


async def read(client: Client, uri: str) -> Any:
    """Read a resource that is there."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "application/json")
    return json.loads(content.text)


@EVERY_WAY
async def test_resources_are_listed_and_read(tmp_path: Path, way: Way) -> None:
    """Each holds what the tool of its kind answers; the list holds what people pick from, with titles."""
    async with talking(way, tmp_path) as client:
        done = (await call(client, "task_create", title="done"))["id"]
        await call(client, "task_update", id=done, status="completed")
        task = (await call(client, "task_create", title="Ship it", metadata={"streamId": "Stream A/ü"}))["id"]
        checkpoint = (await call(client, "checkpoint_create", taskId=task))["id"]

        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [
            "task://{id}",
            "stream://{id}",
            "checkpoint://{id}",
            "events://recent{?since}",
        ]
        listed = {resource.uri: resource for resource in (await client.list_resources()).resources}
        stream = "stream://Stream%20A%2F%C3%BC"
        assert list(listed) == ["events://recent", stream, f"task://{task}"]
        assert (listed[f"task://{task}"].title, listed[f"task://{task}"].description) == ("Ship it", "pending")

        assert await read(client, f"task://{task}") == await call(client, "task_get", id=task)
        assert (await read(client, f"task://{done}"))["status"] == "completed"
        assert await read(client, stream) == await call(client, "stream_get", streamId="Stream A/ü")
        assert (await read(client, f"checkpoint://{checkpoint}"))["taskId"] == task
        for number in range(60):
            await call(client, "task_create", title=str(number))
        recent = await read(client, "events://recent")
        assert [event["data"]["taskTitle"] for event in recent["events"]] == [str(number) for number in range(10, 60)]
        epoch, _, head = recent["next"].partition(":")
        page = await read(client, f"events://recent?since={epoch}:{int(head) - 1}")
        assert [event["seq"] for event in page["events"]] == [int(head)]
        assert (await read(client, f"events://recent?since={recent['next']}"))["events"] == []


@EVERY_WAY
async def test_what_is_not_there_is_an_error_with_our_code(tmp_path: Path, way: Way) -> None:
    """Unknown ids, unknown kinds and bad cursors alike; the conversation goes on."""
    async with talking(way, tmp_path) as client:
        for uri, code in [
            ("task://TASK-0", "NOT_FOUND"),
            ("prd://x", "NOT_FOUND"),
            ("nonsense", "NOT_FOUND"),
            ("task://", "NOT_FOUND"),
            ("events://recent?until=1", "NOT_FOUND"),
            ("events://recent?since=yesterday", "INVALID_ARGUMENT"),
        ]:
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.code == types.INVALID_PARAMS
            assert caught.value.error.data == {"uri": uri, "code": code}
        assert (await client.list_resources()).resources


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_new_clients_listen_to_changes(tmp_path: Path, transport: str) -> None:
    """2026-07-28: what was asked for is told, once a change, and nothing else."""
    async with talking((transport, "2026-07-28"), tmp_path) as client:
        task = (await call(client, "task_create", title="x", metadata={"streamId": "S"}))["id"]
        uris = [f"task://{task}", "stream://S"]
        async with asyncio.timeout(DEADLINE), client.listen(resource_subscriptions=uris) as changes:
            assert changes.honored.resource_subscriptions == uris
            await call(client, "task_create", title="another")
            await call(client, "task_update", id=task, status="in_progress")
            assert {await anext(changes), await anext(changes)} == {ResourceUpdated(uri) for uri in uris}
        async with asyncio.timeout(DEADLINE), client.listen(resources_list_changed=True) as changes:
            await call(client, "task_create", title="new")
            assert await anext(changes) == ResourcesListChanged()


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_old_clients_subscribe(tmp_path: Path, transport: str) -> None:
    """They are told on their session; after unsubscribing no longer."""
    heard: list[str] = []

    def hear(message: Any) -> None:
        assert isinstance(message, types.ResourceUpdatedNotification)
        heard.append(message.params.uri)

    async with talking((transport, "legacy"), tmp_path, hear) as client:
        first, second = [(await call(client, "task_create", title=title))["id"] for title in "ab"]
        for task in (first, second):
            await client.subscribe_resource(f"task://{task}")
        with pytest.raises(MCPError):
            await client.subscribe_resource("nonsense")
        await call(client, "task_create", title="c")
        await call(client, "task_update", id=first, status="in_progress")
        await until(lambda: heard == [f"task://{first}"])
        await client.unsubscribe_resource(f"task://{first}")
        await call(client, "task_update", id=first, status="completed")
        await call(client, "task_update", id=second, status="completed")
        await until(lambda: len(heard) == 2)
        assert heard[1] == f"task://{second}"


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_who_leaves_is_forgotten(server: RunningServer, mode: str) -> None:
    """Nobody listens to the bus for a client that has gone."""
    before = len(server.core.bus.signal.receivers)
    async with Client(f"{server.url}/mcp", mode=mode) as client, contextlib.AsyncExitStack() as stack:
        if mode == "legacy":
            await client.subscribe_resource("events://recent")
        else:
            await stack.enter_async_context(client.listen(resource_subscriptions=["events://recent"]))
        assert len(server.core.bus.signal.receivers) == before + 1
    await until(lambda: len(server.core.bus.signal.receivers) == before)
