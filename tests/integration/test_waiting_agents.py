"""events_wait as agents call it: over MCP in both eras, over HTTP and from the command line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from mcp import Client

from taskcopilot.clock import SystemClock
from tests.helpers.processes import run, running
from tests.helpers.server import RunningServer, running_server
from tests.helpers.waiting import DEADLINE, until
from tests.integration.conftest import Serve

MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])

LISTENERS_OF_A_BRIDGE = 1


def listeners(server: RunningServer) -> int:
    """Return how many listen to the bus beside the hub."""
    return len(server.core.bus.signal.receivers) - LISTENERS_OF_A_BRIDGE


@contextlib.asynccontextmanager
async def waiting(server: RunningServer, mode: str, **options: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Have the SDK's client call events_wait over HTTP, and go on when it waits."""
    async with Client(f"{server.url}/mcp", mode=mode) as client:
        call = asyncio.create_task(client.call_tool("events_wait", {"wait": 600}, **options))
        try:
            await until(lambda: listeners(server))
            yield call
        finally:
            call.cancel()
            await asyncio.wait({call})


@MODES
async def test_an_agent_hears_of_what_happens_while_it_waits(server: RunningServer, mode: str) -> None:
    """With notices of its progress meanwhile, and the event as structured content at the end."""
    notices: list[tuple[float, float | None]] = []

    async def progress(passed: float, total: float | None, _message: str | None) -> None:
        notices.append((passed, total))

    async with waiting(server, mode, progress_callback=progress) as call:
        await until(lambda: notices)
        server.clock.advance(5)
        await until(lambda: len(notices) == 2)
        await server.call("task_create", title="at last")
        result = await call
    assert notices == [(0, 600), (5, 600)]
    (event,) = result.structured_content["events"]
    assert event["data"]["taskTitle"] == "at last"


@MODES
async def test_a_call_that_is_cancelled_waits_no_longer(server: RunningServer, mode: str) -> None:
    """By closing the stream in the new era, by a notification in the old: the tool is gone on the other side."""
    async with waiting(server, mode) as call:
        call.cancel()
        await until(lambda: not listeners(server))


async def test_a_client_that_drops_cancels_its_tool(server: RunningServer) -> None:
    """The connection breaks without a word."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "events_wait",
            "arguments": {"wait": 600},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "events_wait",
    }
    async with aiohttp.ClientSession(server.url) as leaving:
        request = asyncio.ensure_future(leaving.post("/mcp", json=body, headers=headers))
        await until(lambda: listeners(server) or request.done())
        assert not request.done(), await request.result().text()
        request.cancel()
        await asyncio.wait({request})
    await until(lambda: not listeners(server))


@MODES
async def test_the_end_of_the_bridge_ends_the_waiting(tmp_path: Path, mode: str) -> None:
    """An open stream does not hold up the end (promise C5), and the client is not left waiting."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(tmp_path))
        bridge = stack.pop_all()
        async with bridge:
            with anyio.move_on_after(DEADLINE):
                async with waiting(server, mode):
                    began = time.monotonic()
                    await bridge.aclose()
                    assert time.monotonic() - began < 10


async def test_over_http_it_is_a_long_answer(server: RunningServer) -> None:
    """POST /api/tools/events_wait answers when something happens, and forgets a caller that has gone."""
    call = asyncio.create_task(server.post("/api/tools/events_wait", {"eventTypes": ["task.created"]}))
    await until(lambda: listeners(server))
    await server.call("task_create", title="x")
    (event,) = (await call)["events"]
    assert event["eventType"] == "task.created"
    async with aiohttp.ClientSession(server.url) as leaving:
        request = asyncio.ensure_future(leaving.post("/api/tools/events_wait", json={"wait": 600}))
        await until(lambda: listeners(server))
        request.cancel()
        await asyncio.wait({request})
    await until(lambda: not listeners(server))


async def test_over_http_it_ends_with_the_bridge(tmp_path: Path) -> None:
    """With 503: nothing was answered, and the cursor is still good."""
    async with aiohttp.ClientSession() as client:
        async with running_server(tmp_path) as server:
            request = asyncio.ensure_future(client.post(f"{server.url}/api/tools/events_wait", json={"wait": 600}))
            await until(lambda: listeners(server))
        response = await request
        assert response.status == 503


async def test_it_hears_of_what_another_process_does(serve: Serve, tmp_path: Path) -> None:
    """The log is shared: a command of another process ends the waiting, too."""
    server = await serve(clock=SystemClock(), follow=True)
    call = asyncio.create_task(server.post("/api/tools/events_wait", {"wait": 60}))
    await until(lambda: listeners(server))
    done = await asyncio.to_thread(
        run, tmp_path, "call", "task_create", '{"title": "from afar"}', "--db", str(server.core.database.path)
    )
    assert done.returncode == 0, done.stderr
    (event,) = (await call)["events"]
    assert event["data"]["taskTitle"] == "from afar"


def test_from_the_command_line_it_follows_the_log(tmp_path: Path) -> None:
    """`taskcopilot call events_wait` sees what another process does, and answers with 0 events at its time."""
    at_once = run(tmp_path, "call", "events_wait", '{"wait": 0}', "--db", "tasks.db")
    assert '"timedOut":true' in at_once.stdout
    given = '{"wait": 60, "since": 0}'
    with running(tmp_path, "call", "events_wait", given, "--db", "tasks.db") as process:
        run(tmp_path, "call", "task_create", '{"title": "x"}', "--db", "tasks.db")
        assert '"eventType":"task.created"' in process.out.next()
        assert process.wait() == 0
    assert "waits" in run(tmp_path, "tools").stdout
