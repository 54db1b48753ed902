"""Fixtures of the integration tests: `server`, a whole bridge on a free port, and `serve`, to start more of them.

A test that needs the bridge takes `server`: it has `.url`, `.ws_url`, `.port`, `.core`, `.clock`, `.http` (an
aiohttp session with the base URL set), `.call(tool, **arguments)`, `.get(path)` and `.post(path, body)`. Time
stands still until `server.clock.advance(seconds)`. One that needs other settings, the machine's clock, the
follower, or two bridges on one database takes `serve` and calls `await serve(clock=SystemClock(), follow=True,
max_body=100)`; whatever it starts is stopped at the end of the test, newest first.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.helpers.server import RunningServer, running_server

Serve = Callable[..., Awaitable[RunningServer]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts bridges on databases below tmp_path, each with the options of `running_server`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(stack: contextlib.AsyncExitStack = stack, **options: Any) -> RunningServer:
            return await stack.enter_async_context(running_server(tmp_path, **options))

        yield start


@pytest.fixture
async def server(serve: Serve) -> RunningServer:
    """A bridge on a free port, whose time stands still."""
    return await serve()


@pytest.fixture
def http(server: RunningServer) -> aiohttp.ClientSession:
    """The server's client session."""
    return server.http
