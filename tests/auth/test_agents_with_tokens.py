"""Agents at a bridge that asks for tokens: over `/mcp`, by hooks, and in a channel."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft7Validator
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from taskcopilot.bridge.schemas import FROM_SERVER
from taskcopilot.mcp.contents import ERROR_KEY
from tests.auth.test_tokens import after
from tests.helpers.processes import bridge, run, running
from tests.helpers.server import RunningServer
from tests.helpers.tokens import Talker, Tokens, bearer
from tests.helpers.waiting import wait_until
from tests.integration.test_hooks import hook

MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
DB = ("--db", "tasks.db")


@contextlib.asynccontextmanager
async def agent(server: RunningServer, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    """The SDK's client, which shows a token."""
    async with (
        httpx2.AsyncClient(headers=bearer(token), timeout=30) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool; return its answer, or its error."""
    result = await client.call_tool(tool, arguments)
    return result.meta[ERROR_KEY] if result.is_error else result.structured_content


@pytest.mark.parametrize("headers", [{}, bearer("tcb_aaaaaaaaaa_" + "b" * 43), bearer("nonsense")])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_mcp_without_a_good_token_is_401(guarded: RunningServer, method: str, headers: dict[str, str]) -> None:
    """A2: whatever the method, and the answer says how to show one."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"} if method == "POST" else None
    async with guarded.http.request(method, "/mcp", json=body, headers=headers) as response:
        assert response.status == 401
        assert "Bearer" in response.headers["WWW-Authenticate"]
        assert (await response.json())["code"] == "UNAUTHORIZED"


@MODES
async def test_an_agent_sees_and_changes_what_its_token_says(guarded: RunningServer, tokens: Tokens, mode: str) -> None:
    """A6 to A8: tools, resources and waits alike, in both eras."""
    for stream in ("Seen-A", "Hidden-B"):
        await guarded.call("task_create", title=f"of {stream}", metadata={"streamId": stream})
    reader = await tokens.make("read", topics=["stream:Seen-A"])
    async with agent(guarded, reader, mode) as client:
        (task,) = (await call(client, "task_list"))["result"]
        assert task["title"] == "of Seen-A"
        assert (await call(client, "task_create", title="x"))["code"] == "FORBIDDEN"
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        assert listed == ["events://recent", "stream://Seen-A", f"task://{task['id']}"]
        for uri in listed:
            (content,) = (await client.read_resource(uri)).contents
            assert "Hidden-B" not in content.text
        with pytest.raises(MCPError, match="not found"):
            await client.read_resource("stream://Hidden-B")
        heard = await call(client, "events_wait", since=0, wait=0)
        assert heard["events"]
        assert "Hidden-B" not in json.dumps(heard)
    async with agent(guarded, await tokens.make("read", "write"), mode) as client:
        assert "id" in await call(client, "task_create", title="x")


async def test_a_revoked_token_ends_an_agents_session(guarded: RunningServer, tokens: Tokens) -> None:
    """A10: the next request is refused, although the session was begun with a good one."""
    token = await tokens.make("read")
    async with agent(guarded, token, "legacy") as client:
        assert await call(client, "task_list") == {"result": []}
        await tokens.revoke(token)
        await after(guarded, 2)
        with pytest.raises(MCPError):
            await client.call_tool("task_list", {})


async def test_the_end_of_a_token_is_told_like_every_other_time(guarded: RunningServer, tokens: Tokens) -> None:
    """H12: on the socket, in UTC with milliseconds, and as the document says."""
    token = await tokens.make("read", life=timedelta(hours=1))
    talker = await Talker.connect(guarded)
    answer = await talker.ask("auth", token=token)
    Draft7Validator(FROM_SERVER["authenticated"]).validate(answer)
    assert answer["payload"]["expiresAt"].endswith("Z")
    assert len(answer["payload"]["expiresAt"]) == len(answer["timestamp"])


async def test_hooks_need_a_token_that_writes(guarded: RunningServer, tokens: Tokens) -> None:
    """A2, A6: 401 without, 403 with one that reads."""
    payload = hook("TaskCreated", task_id="1", task_subject="t")
    expected = {"": 401, await tokens.make("read"): 403, await tokens.make("write"): 200}
    for token, status in expected.items():
        headers = bearer(token) if token else {}
        async with guarded.http.post("/hooks/claude-code", json=payload, headers=headers) as response:
            assert response.status == status
    assert len(await guarded.call("task_list")) == 1


@pytest.mark.parametrize("way", [{"TASKCOPILOT_AUTH": "token"}, {}], ids=["by the setting", "by the option"])
def test_hosts_are_told_to_show_the_token(tmp_path: Path, way: dict[str, str]) -> None:
    """It stays in the environment: neither file holds it, only where it is."""
    option = () if way else ("--token",)
    secret = {"TASKCOPILOT_TOKEN": "tcb_secret", **way}
    assert run(tmp_path, "init", "--http", *option, **secret).returncode == 0
    entry = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["task-copilot"]
    assert entry["headers"] == {"Authorization": "Bearer ${TASKCOPILOT_TOKEN:-}"}
    assert run(tmp_path, "hooks", "install", *option, **secret).returncode == 0
    settings = json.loads((tmp_path / ".claude" / "settings.json").read_text())
    for groups in settings["hooks"].values():
        (sent,) = groups[0]["hooks"]
        assert sent["headers"] == {"Authorization": "Bearer $TASKCOPILOT_TOKEN"}
        assert sent["allowedEnvVars"] == ["TASKCOPILOT_TOKEN"]
    for file in (".mcp.json", ".claude/settings.json"):
        assert "tcb_secret" not in (tmp_path / file).read_text()
    assert run(tmp_path, "init", "--undo").returncode == run(tmp_path, "hooks", "remove").returncode == 0
    assert not list(tmp_path.rglob("*.json"))


def test_a_channel_shows_its_token(tmp_path: Path) -> None:
    """A9, A10: with it the session is woken; without, or once it is revoked, the log of the host says why not."""
    made = json.loads(run(tmp_path, "token", "create", "--json", *DB).stdout)
    with bridge(tmp_path, *DB, "--auth", "token") as (_, ready):
        port = ready["url"].rpartition(":")[2]
        follow = ("channel", *DB, "--port", port, "--types", "task.created", "--any-host")
        with running(tmp_path, *follow, "--session", "none") as process:
            introduce(process)
            process.err.until(lambda line: "refuses" in line)
        with running(tmp_path, *follow, "--session", "s", TASKCOPILOT_TOKEN=made["token"]) as process:
            introduce(process)
            wait_until((tmp_path / "channels" / "s.cursor").exists, "the cursor")
            assert run(tmp_path, "task", "create", "wake up", *DB).returncode == 0
            process.out.until(lambda line: "wake up" in line)
            assert run(tmp_path, "token", "revoke", made["id"], *DB).returncode == 0
            process.err.until(lambda line: "the token in TASKCOPILOT_TOKEN is not good" in line)
        assert made["token"] not in process.err.text()


def introduce(process: Any) -> None:
    """Say hello, as a host does."""
    process.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    process.out.next()
    process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
