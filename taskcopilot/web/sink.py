"""The transport under a long-lived answer, as the hub wants it."""

from __future__ import annotations

import asyncio

from aiohttp import web

__all__ = ["TransportSink"]


class TransportSink:
    """Writes past aiohttp's own writer. What is written is always whole (frames, chunks), so the two never mix."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer left during the handshake")
        self._transport: asyncio.Transport = transport
        self._writer = request.writer

    def write(self, data: bytes) -> None:
        """See Sink."""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def buffered(self) -> int:
        """See Sink."""
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        """See Sink."""
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        await self._writer.drain()

    def abort(self) -> None:
        """Cut the connection: a close would wait for a peer that reads nothing, and keep its buffer."""
        self._transport.abort()
