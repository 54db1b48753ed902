"""Calls of tools over keep-alive connections, at a rate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson

from tests.helpers.raw import RawAnswer, read_answer, request

TITLE = "x" * 190
"""Makes the data of `task.created` about 300 bytes."""


class Caller:
    """One connection that is kept."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = f"127.0.0.1:{port}"
        self._reader = reader
        self._writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, port: int) -> AsyncIterator[Caller]:
        """Connect for the block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(port, reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def ask(self, data: bytes) -> RawAnswer:
        """Send a request and return its answer."""
        self._writer.write(data)
        return await read_answer(self._reader)

    async def get(self, target: str) -> Any:
        """GET a path that must answer 200, and return the JSON."""
        answer = await self.ask(request("GET", target, host=self._host))
        assert answer.status == 200, answer.body
        return answer.json()

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that must succeed, and return its output."""
        json, body = "Content-Type: application/json", orjson.dumps(arguments)
        answer = await self.ask(request("POST", f"/api/tools/{tool}", json, body=body, host=self._host))
        assert answer.status == 200, answer.body
        return answer.json()


class Writer:
    """Creates tasks; `acknowledged` holds the title of each that was answered, by id."""

    def __init__(self, callers: list[Caller]) -> None:
        self._callers = callers
        self.acknowledged: dict[str, str] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, port: int, connections: int = 4) -> AsyncIterator[Writer]:
        """Connect for the block."""
        async with contextlib.AsyncExitStack() as stack:
            yield cls([await stack.enter_async_context(Caller.connected(port)) for _ in range(connections)])

    async def create(self, count: int) -> None:
        """Create so many tasks as fast as they are answered."""
        await self.create_at(count, rate=float("inf"))

    async def create_at(self, count: int, rate: float) -> None:
        """Create so many tasks, each at its time on a schedule of so many a second; who is late does not wait."""
        start = asyncio.get_running_loop().time()
        numbers = iter(range(count))

        async def work(caller: Caller) -> None:
            for number in numbers:
                await moment(start + number / rate)
                title = f"{len(self.acknowledged)}-{number} {TITLE}"
                self.acknowledged[(await caller.call("task_create", title=title))["id"]] = title

        await asyncio.gather(*(work(caller) for caller in self._callers))


async def moment(when: float) -> None:
    """Return at a time of the event loop's clock: the beat of a load, not a wait for something to happen."""
    loop = asyncio.get_running_loop()
    if when > loop.time():
        come = loop.create_future()
        loop.call_at(when, come.set_result, None)
        await come
