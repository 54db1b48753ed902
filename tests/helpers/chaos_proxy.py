"""A path between client and bridge that is as bad as wanted: a TCP proxy on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Self

CHUNK = 1 << 16
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST and drops what waits."""


@dataclass(frozen=True)
class Weather:
    """What the path does to each direction of every connection. Times in seconds; the default is fair weather."""

    latency: float = 0.0
    """How long bytes are held; those that come meanwhile wait for the next turn."""
    stall_chance: float = 0.0
    """The part of all turns that stall."""
    stall: float = 0.0
    """How long a stall takes."""
    reset_every: float = 0.0
    """Seconds between two RSTs for everybody; 0 for none."""
    tear_chance: float = 0.0
    """The part of all turns in which half of the bytes pass and the connection is cut."""
    slice: int = CHUNK
    """The most bytes that are sent in one piece."""
    blocks_websockets: bool = False
    """Upgrades are cut off, and what was upgraded before; plain HTTP passes."""
    swallows: bool = False
    """Nothing passes, and nobody is told."""


FAIR = Weather()


class ChaosProxy:
    """Proxies to the port `target` of this machine while its block runs.

    Any thread may change the weather, at any time. A bridge behind it has to allow its `host`.
    """

    def __init__(self) -> None:
        self.target = 0
        self._weather = FAIR
        self._random = Random(1)
        self._paths: set[_Path] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos", daemon=True)
        self.host = ""
        self.url = ""
        self.upgrades = 0
        """WebSocket connections that were let through."""
        self.resets = 0
        """Connections that were cut."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._resetter = self._run(self._start(self._reset_now_and_then()))
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"http://{self.host}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def become(self, weather: Weather) -> None:
        """Change the weather, also for connections that are open; WebSockets are cut where they are blocked now."""

        async def change() -> None:
            self._weather = weather
            for path in tuple(self._paths):
                path.changed.set()
                if weather.blocks_websockets and path.is_websocket:
                    self._cut(path)

        self._run(change())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work)

    async def _stop(self) -> None:
        self._server.close()
        self._resetter.cancel()
        self._weather = FAIR
        for path in tuple(self._paths):
            path.changed.set()
            path.cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(tasks, timeout=5)

    def _cut(self, path: _Path) -> None:
        self.resets += 1
        path.cut()

    async def _reset_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._weather.reset_every or 0.05)
            if self._weather.reset_every:
                for path in tuple(self._paths):
                    self._cut(path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        path = _Path(writer)
        self._paths.add(path)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._carry(path, reader)
        await self._pass(path)
        path.cut()
        self._paths.discard(path)

    async def _carry(self, path: _Path, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await self._pass(path)
        path.is_websocket = b"upgrade: websocket" in head.lower()
        if path.is_websocket and self._weather.blocks_websockets:
            return
        self.upgrades += path.is_websocket
        there, writer = await asyncio.open_connection("127.0.0.1", self.target)
        path.add(writer)
        writer.write(head)
        path.tasks = [
            asyncio.create_task(self._pump(path, reader, writer)),
            asyncio.create_task(self._pump(path, there, path.writers[0])),
        ]
        await asyncio.wait(path.tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _pump(self, path: _Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Move bytes one way, as the weather is."""
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._hold(path)
                if self._random.random() < self._weather.tear_chance:
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    self._cut(path)
                    return
                size = self._weather.slice
                for begin in range(0, len(data), size):
                    writer.write(data[begin : begin + size])
                    await writer.drain()

    async def _pass(self, path: _Path) -> None:
        """Wait as long as nothing passes, ends of connections neither."""
        while self._weather.swallows:
            path.changed.clear()
            await path.changed.wait()

    async def _hold(self, path: _Path) -> None:
        await self._pass(path)
        stalls = self._random.random() < self._weather.stall_chance
        await asyncio.sleep(self._weather.latency + stalls * self._weather.stall)


class _Path:
    """One connection, both of its sockets."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.changed = asyncio.Event()
        self.is_websocket = False
        self.add(writer)

    def add(self, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.writers.append(writer)

    def cut(self) -> None:
        """Reset both sides, now; idempotent."""
        for task in self.tasks:
            task.cancel()
        for writer in self.writers:
            if not writer.transport.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
