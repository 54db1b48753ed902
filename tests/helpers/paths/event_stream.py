"""Following server-sent events, with `Last-Event-ID`, as a browser does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
import orjson

from tests.helpers.paths.path import ALL, Facts, Path, RefusedError, number
from tests.helpers.waiting import DEADLINE, until

HEARTBEAT = 15.0


class EventStreamPath(Path):
    """One answer that does not end."""

    _answer: aiohttp.ClientResponse | None = None

    async def open(self, cursor: str | None, topics: Sequence[str] = ALL, types: Sequence[str] = ()) -> Facts:
        """See Path. A `ready` without an id is followed by the gap, which has it."""
        query = {"topics": ",".join(topics), "eventTypes": ",".join(types)}
        headers = {} if cursor is None else {"Last-Event-ID": cursor}
        answer = await self._server.http.get("/api/events/stream", params=query, headers=headers)
        if answer.status != 200:
            problem = await answer.json(content_type=None)
            raise RefusedError(problem["code"], problem["field"])
        self._answer = answer
        block = await self._block()
        assert block["event"] == "ready"
        gap = None
        if "id" not in block:
            block = await self._block()
            assert block["event"] == "gap"
            gap = orjson.loads(block["data"])
        return self._opened(block["id"].rpartition(":")[0], number(block["id"]), gap)

    async def position(self) -> str:
        """See Path: the heartbeat has an id and no data."""
        await until(lambda: self._server.clock.sleeping(HEARTBEAT))
        self._server.clock.advance(HEARTBEAT)
        while "data" in (block := await self._block()):
            self._keep(block)
        return block["id"]

    async def close(self) -> None:
        """See Path."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    async def _more(self) -> None:
        block = await self._block()
        if "data" in block:
            self._keep(block)

    def _keep(self, block: dict[str, str]) -> None:
        assert "event" not in block, block
        event = orjson.loads(block["data"])
        assert block["id"] == f"{self._epoch}:{event['seq']}"
        self._ahead.append(event)

    async def _block(self) -> dict[str, str]:
        """Return the fields of the next event, or of the next heartbeat."""
        assert self._answer is not None
        fields: dict[str, str] = {}
        while line := (await asyncio.wait_for(self._answer.content.readline(), DEADLINE)).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields
