"""`/mcp` as hosts meet it: the SDK's own client over HTTP, in both eras, and what no client of it would send."""

from __future__ import annotations

import json

import pytest
from mcp import Client

from taskcopilot.tools.table import REGISTRY
from tests.helpers.server import RunningServer

MODES = pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])

JSON_RPC = {"Accept": "application/json, text/event-stream"}


@MODES
async def test_both_eras_see_the_same_tools(server: RunningServer, mode: str) -> None:
    """An old client with its session and a new one without list the same tools, in the same order."""
    async with Client(f"{server.url}/mcp", mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in REGISTRY]
        result = await client.call_tool("task_create", {"title": "x"})
        assert not result.is_error
    (task,) = await server.call("task_list")
    assert task["title"] == "x"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 421), ({"Content-Type": "text/plain"}, 415)],
)
async def test_foreign_pages_and_names_are_refused(server: RunningServer, headers: dict[str, str], status: int) -> None:
    """The guard of the bridge stands before `/mcp` as well."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    headers = {"Content-Type": "application/json", **JSON_RPC, **headers}
    async with server.http.post("/mcp", data=body, headers=headers) as response:
        assert response.status == status
