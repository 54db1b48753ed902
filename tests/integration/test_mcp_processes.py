"""MCP with real processes: what agents, the bridge and signals do to each other."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.helpers.agents import stdio_agent
from tests.helpers.processes import Running, bridge
from tests.helpers.waiting import DEADLINE

MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@contextlib.asynccontextmanager
async def a_call_that_waits(client: Client) -> Any:
    """Call events_wait, and go on when the server has said that it waits. However the call ends is fine."""
    begun = asyncio.Event()

    async def progress(*_arguments: Any) -> None:
        begun.set()

    async def call() -> Any:
        return await client.call_tool("events_wait", {"wait": 600}, progress_callback=progress)

    waiting = asyncio.create_task(call())
    try:
        async with asyncio.timeout(DEADLINE):
            await begun.wait()
        yield waiting
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


@MODES
async def test_a_signal_ends_the_bridge_although_agents_wait(tmp_path: Path, mode: str) -> None:
    """Calls that wait, streams and sessions are open: it ends in good order, in time (C5), and says nothing of it."""
    with bridge(tmp_path, "--db", "tasks.db") as (process, ready):
        code, seconds = await _stopped_amid_a_conversation(process, ready["url"], mode)
        assert code == 0
        assert seconds < 3
        log = process.err.text()
        assert "Traceback" not in log
        assert "ERROR" not in log


async def _stopped_amid_a_conversation(process: Running, url: str, mode: str) -> tuple[int, float]:
    """Stop the bridge and return its exit code and the seconds; what the client makes of that is its own affair."""
    ends: list[tuple[int, float]] = []
    with anyio.move_on_after(DEADLINE), contextlib.suppress(BaseExceptionGroup):
        async with Client(f"{url}/mcp", mode=mode) as client, contextlib.AsyncExitStack() as stack:
            if mode != "legacy":
                await stack.enter_async_context(client.listen(resource_subscriptions=["events://recent"]))
            async with a_call_that_waits(client):
                ends.append(await asyncio.to_thread(process.stop, signal.SIGTERM))
    (end,) = ends
    return end


@MODES
async def test_over_stdio_an_agent_waits_and_works_at_once(tmp_path: Path, mode: str) -> None:
    """A call that waits does not hold up the others, and hears of what they do."""
    async with stdio_agent(tmp_path, mode=mode) as client, a_call_that_waits(client) as waiting:
        created = await client.call_tool("task_create", {"title": "meanwhile"})
        async with asyncio.timeout(DEADLINE):
            result = await waiting
        (event,) = result.structured_content["events"]
        assert event["data"]["taskId"] == created.structured_content["id"]


@MODES
async def test_over_stdio_a_cancelled_call_is_over(tmp_path: Path, mode: str) -> None:
    """The conversation goes on, and its end is not held up by calls that wait (nobody has to be killed)."""
    async with stdio_agent(tmp_path, "--log-level", "info", mode=mode) as client:
        async with a_call_that_waits(client):
            pass
        assert not (await client.call_tool("task_list", {})).is_error
        async with a_call_that_waits(client):
            began = anyio.current_time()
    assert anyio.current_time() - began < DEADLINE / 2
    assert "Traceback" not in (tmp_path / "mcp.log").read_text()
