"""Following over `/ws`, with `since`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from tests.helpers.paths.path import ALL, Facts, Path, RefusedError, number
from tests.helpers.waiting import DEADLINE, until

PING_INTERVAL = 30.0


class WebSocketPath(Path):
    """A raw socket. A refusal does not end it."""

    _socket: aiohttp.ClientWebSocketResponse | None = None

    async def open(self, cursor: str | None, topics: Sequence[str] = ALL, types: Sequence[str] = ()) -> Facts:
        """See Path. The very first message must be the answer (D3)."""
        if self._socket is None:
            self._socket = await self._server.http.ws_connect("/ws")
        payload: dict[str, Any] = {"topics": list(topics)}
        payload |= {} if cursor is None else {"since": cursor}
        payload |= {"filter": {"eventTypes": list(types)}} if types else {}
        await self._say({"type": "subscribe", "payload": payload})
        message = await self._hear()
        answer = message["payload"]
        if message["type"] == "error":
            raise RefusedError(answer["code"], answer["field"])
        assert message["type"] == "subscribed"
        gap = answer.get("gap")
        assert answer.get("recovered") is (None if cursor is None else gap is None)
        start = answer["seq"] if cursor is None else gap["to"] if gap else number(cursor)
        return self._opened(answer["epoch"], start, gap)

    async def position(self) -> str:
        """See Path: the ping says it (D8)."""
        await until(lambda: self._server.clock.sleeping(PING_INTERVAL))
        self._server.clock.advance(PING_INTERVAL)
        while (message := await self._hear())["type"] != "ping":
            self._ahead.append(message)
        return f"{self._epoch}:{message['payload']['seq']}"

    async def close(self) -> None:
        """See Path: the transport is cut."""
        if self._socket is not None:
            self._socket._response.connection.transport.abort()  # type: ignore[union-attr]
            await self._socket.close()
            self._socket = None

    async def _more(self) -> None:
        message = await self._hear()
        assert message["type"] == "event", message
        self._ahead.append(message)

    async def _say(self, message: dict[str, Any]) -> None:
        assert self._socket is not None
        await self._socket.send_str(orjson.dumps(message).decode())

    async def _hear(self) -> dict[str, Any]:
        assert self._socket is not None
        message = await asyncio.wait_for(self._socket.receive(), DEADLINE)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return orjson.loads(message.data)
