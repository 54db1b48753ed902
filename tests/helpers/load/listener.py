"""A client on a raw socket that costs little more than the bytes it reads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson

from tests.helpers.load.frames import CLOSE, PING, PONG, TEXT, FrameReader, client_frame
from tests.helpers.load.heard import Frames, Heard
from tests.helpers.raw import request
from tests.helpers.waiting import DEADLINE

AT_ONCE = 50
"""Clients of a crowd that connect at the same time; a storm is a test of its own."""


def upgrade_request(port: int) -> bytes:
    """Return the request that opens a WebSocket."""
    return request(
        "GET",
        "/ws",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        host=f"127.0.0.1:{port}",
    )


class Listener(asyncio.Protocol):
    """One connection. Events go to `heard`; the moment of an event is when its bytes were read from the socket."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self.close_code: int | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._transport: asyncio.Transport | None = None
        self._head: bytes | None = b""
        self._reader = FrameReader()

    async def connect(self, port: int) -> int:
        """Connect and ask for the upgrade; return the status of the answer."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        assert self._transport
        self._transport.write(upgrade_request(port))
        return await self._status

    async def subscribe(self, topics: Sequence[str], **options: Any) -> dict[str, Any]:
        """Subscribe and return the payload of the answer."""
        message = {"type": "subscribe", "payload": {"topics": topics, **options}}
        self._send(TEXT, orjson.dumps(message))
        answer = await self._answers.get()
        assert answer["type"] == "subscribed", answer
        return dict(answer["payload"])

    async def drop(self) -> None:
        """Cut the connection, if there is one, without any goodbye."""
        if self._transport:
            self._transport.abort()
            await self.gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """See Protocol."""
        self.gone.set_result(None)
        if not self._status.done():
            self._status.set_exception(ConnectionResetError("cut during the upgrade"))

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        moment = time.time()
        if self._head is not None:
            data = self._read_head(self._head + data)
        for opcode, payload in self._reader.feed(data):
            if opcode == TEXT:
                self._hear(payload, moment)
            elif opcode == PING:
                self._send(PONG, payload)
            elif opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")

    def _read_head(self, data: bytes) -> bytes:
        """Keep the head of the answer until it is whole; return what came after it."""
        head, end, rest = data.partition(b"\r\n\r\n")
        self._head = None if end else data
        if end:
            self._status.set_result(int(head.split(b" ", 2)[1]))
        return rest

    def _send(self, opcode: int, payload: bytes) -> None:
        assert self._transport
        self._transport.write(client_frame(opcode, payload))

    def _hear(self, payload: bytes, moment: float) -> None:
        if payload.startswith(b'{"type":"event"'):
            self.heard.note(payload, moment)
        elif not payload.startswith(b'{"type":"ping"'):
            self._answers.put_nowait(orjson.loads(payload))


@contextlib.asynccontextmanager
async def crowd(
    port: int, count: int, frames: Frames, topics: Callable[[int], Sequence[str]]
) -> AsyncIterator[list[Listener]]:
    """Connect and subscribe so many clients, the nth to `topics(n)`; all are cut off at the end."""
    listeners: list[Listener] = []
    try:
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            fresh = [Listener(Heard(frames)) for _ in numbers]
            listeners += fresh
            async with asyncio.timeout(DEADLINE):
                assert await asyncio.gather(*(one.connect(port) for one in fresh)) == [101] * len(fresh)
                await asyncio.gather(*(one.subscribe(topics(n)) for n, one in zip(numbers, fresh, strict=True)))
        yield listeners
    finally:
        await asyncio.gather(*(listener.drop() for listener in listeners))
