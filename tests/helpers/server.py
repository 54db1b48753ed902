"""A whole bridge on a free port: real files, real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from taskcopilot.clock import Clock
from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.web.app import make_app
from taskcopilot.web.server import Server, serving
from tests.helpers.bridge import as_json
from tests.helpers.clock import FakeClock


@dataclass
class RunningServer:
    """A bridge that listens. `clock` is the fake one unless the test brought its own."""

    core: Core
    app: web.Application
    server: Server
    clock: Any
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """The base of all addresses, such as `http://127.0.0.1:40123`."""
        return self.server.url

    @property
    def ws_url(self) -> str:
        """The address of the WebSocket endpoint."""
        return self.url.replace("http", "ws", 1) + "/ws"

    @property
    def port(self) -> int:
        """The port it got."""
        return self.server.port

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool with wire names, past HTTP, and return its answer as JSON. Takes a millisecond of fake time."""
        answer = as_json(await self.core.toolbox.call(tool, arguments))
        if isinstance(self.clock, FakeClock):
            self.clock.advance(0.001)
        return answer

    async def get(self, path: str, expect: int = 200, **parameters: Any) -> Any:
        """GET a path, check the status, and return the JSON."""
        async with self.http.get(path, params=parameters) as response:
            assert response.status == expect, await response.text()
            return await response.json(content_type=None)

    async def post(self, path: str, body: Any = None, expect: int = 200) -> Any:
        """POST JSON to a path (no body for None), check the status, and return the JSON."""
        async with self.http.post(path, **({} if body is None else {"json": body})) as response:
            assert response.status == expect, await response.text()
            return await response.json(content_type=None)


def _connector(server: Server, trusted: ssl.SSLContext | None) -> aiohttp.TCPConnector:
    if trusted is None and server.certificate is not None:
        trusted = ssl.create_default_context(cafile=str(server.certificate.file))
    return aiohttp.TCPConnector(ssl=trusted or True)


@contextlib.asynccontextmanager
async def running_server(
    directory: Path,
    *,
    clock: Clock | None = None,
    follow: bool = False,
    file: str = "tasks.db",
    routes: Sequence[web.RouteDef] = (),
    trusted: ssl.SSLContext | None = None,
    **flags: Any,
) -> AsyncIterator[RunningServer]:
    """Open and serve the database below the directory. `flags` are settings by name, such as `max_body=100`.

    `routes` are served beside the bridge's own. With TLS the session of the tests trusts the bridge's own certificate,
    or what `trusted` does.
    The clock is fake unless given: it stands still until `advance`, so nothing pings, expires or times out by itself.
    """
    clock = clock or FakeClock()
    settings = Settings.load({"db": directory / file, "port": 0, **flags}, {})
    async with contextlib.AsyncExitStack() as stack:
        workspace = await asyncio.to_thread(settings.resolve_workspace)
        core = await stack.enter_async_context(Core.open(settings, workspace=workspace, clock=clock, follow=follow))
        app = make_app(core)
        app.add_routes(routes)
        server = await stack.enter_async_context(serving(core, app))
        http = await stack.enter_async_context(aiohttp.ClientSession(server.url, connector=_connector(server, trusted)))
        yield RunningServer(core, app, server, clock, http)
