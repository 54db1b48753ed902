"""Agents: the SDK's own client, over either transport and in either era of the protocol."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.helpers.processes import environment
from tests.helpers.server import running_server

__all__ = ["EVERY_WAY", "Hear", "Way", "stdio_agent", "talking"]

Way = tuple[str, str]
"""Transport and mode."""

EVERY_WAY = pytest.mark.parametrize(
    "way",
    [("http", "legacy"), ("http", "2026-07-28"), ("stdio", "legacy"), ("stdio", "2026-07-28")],
    ids=" ".join,
)

Hear = Callable[[Any], None]


@contextlib.asynccontextmanager
async def stdio_agent(home: Path, *arguments: str, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """Connect the SDK's client to `taskcopilot mcp`, whose log goes to `mcp.log`."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "taskcopilot", "mcp", "--db", "tasks.db", "--port", "0", *arguments],
        env=environment(home),
        cwd=home,
    )
    with (home / "mcp.log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode, **options) as client:
            yield client


@contextlib.asynccontextmanager
async def _http_agent(home: Path, mode: str, **options: Any) -> AsyncIterator[Client]:
    async with running_server(home) as server, Client(f"{server.url}/mcp", mode=mode, **options) as client:
        yield client


def talking(way: Way, home: Path, hear: Hear | None = None) -> AbstractAsyncContextManager[Client]:
    """Start a server on a new database and talk to it; `hear` is called with what it says unasked."""

    async def handle(message: Any) -> None:
        if hear is not None and isinstance(message, types.ServerNotification):
            hear(message)

    transport, mode = way
    if transport == "http":
        return _http_agent(home, mode, message_handler=handle)
    return stdio_agent(home, mode=mode, message_handler=handle)
