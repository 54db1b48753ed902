"""A small bridge on a real port: the model of bridge_model.py behind aiohttp, in a thread, made to misbehave at will.

Its switches are read when a request comes: `refuse` answers upgrades with 503, `mute` takes messages and answers
nothing, `old` is the original server, without numbers and without GET /api/events; it has `tasks` if any are given.
`stop` and `start` keep the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from aiohttp import WSMsgType, web

from tests.client.bridge_model import Conversation, Log


class FakeBridge:
    """Everything but the handlers is called from the test's thread, and returns when it is done."""

    def __init__(self) -> None:
        self.log = Log()
        self.refuse = self.mute = self.old = self.no_http = False
        self.tasks: list[dict[str, Any]] | None = None
        self.max_patterns = 50
        self.port = 0
        self.requests: list[str] = []
        self.said: list[dict[str, Any]] = []
        self.origins: list[str | None] = []
        self.upgrades = 0
        self._talks: dict[web.WebSocketResponse, tuple[Conversation, asyncio.Transport, asyncio.Event]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-bridge", daemon=True)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- what a test does ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, on the port of the last time if there was one; nothing when it listens already."""
        if not self._thread.is_alive():
            self._thread.start()
        self._do(self._start())

    def stop(self) -> None:
        """Close every socket with 1001, and the port."""
        self._do(self._stop())

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def publish(self, topic: str, kind: str = "task.updated", data: Any = None) -> int:
        """Commit an event and send it to whom it concerns; returns its seq."""
        return self._do(self._publish(topic, kind, data))

    def send(self, message: Any) -> None:
        """Send a message, or raw text or bytes, to everybody."""
        self._do(self._send_all(message))

    def ping(self) -> None:
        self._do(self._ping())

    def drop(self) -> None:
        """Cut every WebSocket without a word."""
        self._do(self._drop())

    def turn(self) -> None:
        """Return when everything that the bridge had to do is done."""
        self._do(asyncio.sleep(0))

    def asked(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a type that clients sent."""
        return [message for message in self.said if message["type"] == kind]

    @property
    def sockets(self) -> int:
        return len(self._talks)

    # -- the thread of the bridge ----------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self) -> None:
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_get("/ws", self._serve)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/tasks", self._tasks)
        app.router.add_post("/api/tools/{tool}", self._tool)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        for socket in list(self._talks):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(socket.close(code=1001), 1)
        await runner.cleanup()

    async def _publish(self, topic: str, kind: str, data: Any) -> int:
        event = self.log.publish(topic, kind, data)
        for socket, (talk, *_) in list(self._talks.items()):
            for message in talk.commit(event):
                await self._say(socket, message)
        return event["seq"]

    async def _send_all(self, message: Any) -> None:
        for socket in list(self._talks):
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def _ping(self) -> None:
        for socket, (talk, *_) in list(self._talks.items()):
            await self._say(socket, talk.ping())

    async def _drop(self) -> None:
        gone = [done for _, transport, done in self._talks.values() if transport.abort() is None]
        await asyncio.gather(*(done.wait() for done in gone))

    async def _say(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.send_str(json.dumps(message))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.refuse:
            raise web.HTTPServiceUnavailable
        self.upgrades += 1
        self.origins.append(request.headers.get("Origin"))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        talk = Conversation(self.log, self.max_patterns, self.old)
        done = asyncio.Event()
        self._talks[socket] = (talk, request.transport, done)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.said.append(json.loads(message.data))
                    for answer in [] if self.mute else talk.receive(message.data):
                        await self._say(socket, answer)
        finally:
            del self._talks[socket]
            done.set()
        return socket

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.old:
            raise web.HTTPNotFound
        if self.no_http:
            raise web.HTTPServiceUnavailable
        return web.json_response(self.log.page(dict(request.query)))

    async def _tasks(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.tasks is None:
            raise web.HTTPNotFound
        return web.json_response({"tasks": self.tasks, "totalTasks": len(self.tasks)})

    async def _tool(self, request: web.Request) -> web.StreamResponse:
        """Echo the arguments; `refuse` is a problem, `html` is no JSON, `list` is no object."""
        self.requests.append(request.path_qs)
        arguments = await request.json()
        match request.match_info["tool"]:
            case "refuse":
                problem = {"code": "CLAIMED", "detail": "taken", "field": "id", "holder": "qa", "status": 409}
                return web.json_response(problem, status=409)
            case "html":
                return web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")
            case "list":
                return web.json_response([])
            case tool:
                return web.json_response({"tool": tool, "arguments": arguments})


@contextlib.contextmanager
def running() -> Iterator[FakeBridge]:
    """A bridge that listens, and is gone afterwards."""
    bridge = FakeBridge()
    bridge.start()
    try:
        yield bridge
    finally:
        bridge.end()
