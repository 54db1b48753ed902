"""A bridge in a thread of its own, for tests of synchronous clients: it dies, comes back, and cuts its sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.store import event_log
from taskcopilot.web.app import make_app
from taskcopilot.web.server import serving
from taskcopilot.web.ws import SOCKETS
from tests.helpers.bridge import as_json

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """asyncio forgets a connection that it accepted in the very turn in which its server was closed.

    The end of a process would close it; here the process goes on, and the peer would wait until its time-out.
    """

    async def _accept_connection2(self, factory: Any, conn: socket.socket, extra: Any, *rest: Any, **more: Any) -> None:
        server = more.get("server") or next((each for each in rest if isinstance(each, asyncio.Server)), None)
        if server is not None and not server.sockets:
            conn.close()
            return
        await super()._accept_connection2(factory, conn, extra, *rest, **more)  # type: ignore[misc]


class BridgeThread:
    """A bridge on one port and one database, and another process's worth of writer on the same database."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self._flags = {"db": directory / "tasks.db", "port": 0, **settings}
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bridge", daemon=True)
        self._thread.start()
        self._writing = contextlib.AsyncExitStack()
        self._serving = contextlib.AsyncExitStack()
        self.url = ""
        self.upgrades = True
        """Whether `/ws` works; like a proxy that lets only HTTP through when it does not."""
        self.run(self._open_writer())
        self.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the bridge's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def start(self) -> None:
        """Serve, on the port that it had before."""
        self.run(self._start())

    def stop(self) -> None:
        """Stop serving; the writer goes on."""
        self.run(self._serving.aclose())

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.run(self._writing.aclose())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool in the process that serves."""
        return as_json(self.run(self.core.toolbox.call(tool, arguments)))

    def call_elsewhere(self, tool: str, **arguments: Any) -> Any:
        """Call a tool in the other process."""
        return as_json(self.run(self._writer.toolbox.call(tool, arguments)))

    def call_everywhere(self, tool: str, count: int, **arguments: Any) -> None:
        """Call a tool so many times in both processes at once."""

        async def work() -> None:
            cores = [self.core, self._writer] * count
            await asyncio.gather(*(core.toolbox.call(tool, arguments) for core in cores))

        self.run(work())

    def cut_all(self) -> None:
        """Cut every socket, without a word."""

        async def cut() -> None:
            for sink in list(self._app[SOCKETS].values()):
                sink.abort()

        self.run(cut())

    @property
    def file(self) -> Path:
        """The database."""
        return Path(self._flags["db"])

    def prune_to(self, keep: int) -> None:
        """Let retention remove all but the newest events."""
        self.run(_prune(self.core, keep))

    def prune_elsewhere(self, keep: int) -> None:
        """Let retention remove all but the newest events, in the other process."""
        self.run(_prune(self._writer, keep))

    def log(self) -> list[event_log.Event]:
        """Return what the log holds; everything that was committed is published when this returns."""

        async def read() -> list[event_log.Event]:
            await self.core.recorder.catch_up()
            _, events = await self._writer.database.read_log(0, 100_000)
            return events

        return self.run(read())

    async def _open_writer(self) -> None:
        self._writer = await self._writing.enter_async_context(Core.open(self._settings(), follow=False))

    async def _start(self) -> None:
        self.core = await self._serving.enter_async_context(Core.open(self._settings()))
        self._app = make_app(self.core)
        self._app.middlewares.append(self._proxy)
        server = await self._serving.enter_async_context(serving(self.core, self._app))
        self._flags["port"], self.url = server.port, server.url

    @web.middleware
    async def _proxy(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/ws" and not self.upgrades:
            raise web.HTTPServiceUnavailable
        return await handler(request)

    def _settings(self) -> Settings:
        return Settings.load(self._flags, {})


async def _prune(core: Core, keep: int) -> None:
    while await core.recorder.record(lambda tx: event_log.prune(tx, keep, "")):
        pass
