"""Agents and descriptions of a bridge that speaks TLS."""

from __future__ import annotations

import json
import ssl

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.helpers.server import RunningServer
from tests.integration.test_hooks import hook


@pytest.fixture
async def secure(serve) -> RunningServer:
    """A bridge with a certificate of its own."""
    return await serve(tls_self_signed=True)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_agents_speak_mcp_over_tls(secure: RunningServer, mode: str) -> None:
    """Tools in both eras, and a change is told; the hooks of a host arrive too."""
    trusted = ssl.create_default_context(cafile=str(secure.server.certificate.file))
    async with (
        httpx2.AsyncClient(verify=trusted, timeout=30) as http,
        Client(streamable_http_client(f"{secure.url}/mcp", http_client=http), mode=mode) as client,
    ):
        assert not (await client.call_tool("task_create", {"title": "over TLS"})).is_error
        assert await secure.post("/hooks/claude-code", hook("TaskCreated", task_id="1", task_subject="t")) == {}
        waited = await client.call_tool("events_wait", {"since": 0, "wait": 30})
    assert "over TLS" in json.dumps(waited.structured_content)


async def test_the_description_says_that_the_socket_is_secure(secure: RunningServer) -> None:
    """H12: `wss`, on the host and port by which it was asked."""
    bridge = (await secure.get("/asyncapi.json"))["servers"]["bridge"]
    assert bridge == {"host": secure.url.removeprefix("https://"), "protocol": "wss"}
