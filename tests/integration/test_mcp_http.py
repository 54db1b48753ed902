"""`/mcp` as hosts meet it: the SDK's own client over HTTP, in both eras, and what no client of it would send."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client

from taskcopilot.mcp import http as sessions_of_mcp
from taskcopilot.mcp.contents import ERROR_KEY
from taskcopilot.tools.table import REGISTRY
from tests.helpers.processes import environment
from tests.helpers.server import RunningServer, running_server
from tests.integration.conftest import Serve

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


OLD = "2025-06-18"
NEW = "2026-07-28"


def message(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return a request of the new era."""
    meta = {"io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {}}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def headers_for(version: str, method: str = "tools/call", name: str = "task_create") -> dict[str, str]:
    """Return the headers of a request."""
    new = {"Mcp-Method": method, "Mcp-Name": name} if version == NEW else {}
    return {**JSON_RPC, "Content-Type": "application/json", "MCP-Protocol-Version": version, **new}


@pytest.mark.parametrize(
    ("method", "version", "body", "status"),
    [
        ("POST", NEW, "{nope", 400),
        ("POST", OLD, "{nope", 400),
        ("POST", NEW, "", 400),
        ("POST", OLD, "", 400),
        ("POST", NEW, "[]", 400),
        ("POST", OLD, "[]", 400),
        ("POST", NEW, '{"a":' * 9_000 + "1" + "}" * 9_000, 400),
        ("POST", OLD, '{"a":' * 9_000 + "1" + "}" * 9_000, 400),
        ("POST", NEW, json.dumps(message("no/such", {})), 400),
        ("POST", OLD, json.dumps(message("ping", {})), 400),
        ("POST", NEW, "x" * 100_001, 413),
        ("POST", OLD, "x" * 100_001, 413),
        ("POST", "1999-01-01", json.dumps(message("ping", {})), 400),
        ("GET", NEW, None, 405),
        ("GET", OLD, None, 400),
        ("DELETE", OLD, None, 400),
        ("PUT", OLD, "{}", 405),
    ],
)
async def test_what_is_no_request_is_refused(
    serve: Serve, method: str, version: str, body: str | None, status: int
) -> None:
    """Broken, nested too deeply, too large, of no session: an answer in JSON, and the next request is served."""
    server = await serve(max_body=100_000)
    async with server.http.request(method, "/mcp", data=body, headers=headers_for(version)) as response:
        assert response.status == status, await response.text()
        if text := await response.text():
            assert "error" in json.loads(text)
    good = message("tools/call", {"name": "task_list", "arguments": {}})
    async with server.http.post("/mcp", json=good, headers=headers_for(NEW, name="task_list")) as response:
        assert (await response.json())["result"]["isError"] is False


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ('{"title": "\\ud800"}', "title"),
        ('{"title": "x", "metadata": {"a": NaN}}', "metadata.a"),
        ('{"title": "x", "metadata": {"a": 99999999999999999999}}', "metadata.a"),
        ('{"title": "x", "metadata": ' + '{"a":' * 100 + "1" + "}" * 100 + "}", "metadata" + ".a" * 63),
    ],
)
async def test_what_cannot_be_stored_is_refused_by_name(server: RunningServer, arguments: str, field: str) -> None:
    """The SDK reads more than we keep: no Unicode, no number, too large, too deep."""
    body = json.dumps(message("tools/call", {"name": "task_create", "arguments": "?"})).replace('"?"', arguments)
    async with server.http.post("/mcp", data=body, headers=headers_for(NEW)) as response:
        assert response.status == 200, await response.text()
        result = (await response.json())["result"]
    assert result["isError"] is True
    assert result["_meta"][ERROR_KEY]["code"] == "INVALID_ARGUMENT"
    assert result["_meta"][ERROR_KEY]["field"].startswith(field)
    assert await server.call("task_list") == []


PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


async def begin(server: RunningServer) -> dict[str, str]:
    """Begin a session of an old client; return the headers of its requests."""
    hello = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    headers = headers_for(OLD)
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    async with server.http.post("/mcp", json=first, headers=headers) as response:
        assert response.content_type == "text/event-stream"
        assert f'"protocolVersion":"{OLD}"' in await response.text()
        return headers | {"Mcp-Session-Id": response.headers["Mcp-Session-Id"]}


async def test_sessions_end_with_their_bridge(tmp_path: Path) -> None:
    """Its open stream too, at once; of two bridges in a process each has its own, and the next one has none of them."""
    async with aiohttp.ClientSession() as client:
        async with running_server(tmp_path, file="other.db") as other:
            async with running_server(tmp_path) as server:
                session = await begin(server)
                stream = await client.get(f"{server.url}/mcp", headers=session)
                assert (stream.status, stream.content_type) == (200, "text/event-stream")
                async with other.http.post("/mcp", json=PING, headers=session) as response:
                    assert response.status == 404
            assert await stream.read() == b""
            async with other.http.post("/mcp", json=PING, headers=await begin(other)) as response:
                assert response.status == 200
        async with running_server(tmp_path) as heir, heir.http.post("/mcp", json=PING, headers=session) as response:
            assert response.status == 404
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "mcp"]


async def test_a_session_of_an_old_client_ends_when_it_says_so(server: RunningServer) -> None:
    """It is named in a header of the first answer; after DELETE it is unknown, and so is one that never was."""
    headers = await begin(server)
    for method, body, status in [("POST", PING, 200), ("DELETE", None, 200), ("POST", PING, 404)]:
        async with server.http.request(method, "/mcp", json=body, headers=headers) as response:
            assert response.status == status, await response.text()
    headers["Mcp-Session-Id"] = "never"
    async with server.http.post("/mcp", json=PING, headers=headers) as response:
        assert response.status == 404


async def test_a_session_too_many_is_refused_and_the_others_go_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503; whoever has a session keeps it, and one that ends makes room. New clients need none."""
    monkeypatch.setattr(sessions_of_mcp, "MAX_SESSIONS", 2)
    server = await serve()
    held = [await begin(server) for _ in range(2)]
    hello = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    async with server.http.post("/mcp", json=first, headers=headers_for(OLD)) as response:
        assert response.status == 503
    for headers in held:
        async with server.http.post("/mcp", json=PING, headers=headers) as response:
            assert response.status == 200
    async with server.http.delete("/mcp", headers=held[0]) as response:
        assert response.status == 200
    await begin(server)


async def test_a_bridge_of_which_nobody_asks_for_mcp_does_without_the_sdk(tmp_path: Path) -> None:
    """It would take longer to import than all the rest: a bridge is there sooner without."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "import sys, taskcopilot.app, taskcopilot.web.app; print('mcp' in sys.modules)"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
