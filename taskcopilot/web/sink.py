"""The transport under a long-lived answer, as the hub wants it."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from aiohttp import web

__all__ = ["CLOSE_TIMEOUT", "TransportSink"]

CLOSE_TIMEOUT: Final = 1.5
"""Seconds for a peer to take part in the end of a conversation; whoever has not by then is cut off."""


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
        try:
            return self._transport.get_write_buffer_size()
        except AttributeError:  # the TLS of asyncio, once it was closed twice, has forgotten where its buffer was
            return 0

    async def drain(self) -> None:
        """See Sink."""
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        await self._writer.drain()

    def give_up_after(self, seconds: float) -> None:
        """Have the system end the connection when the peer takes nothing of what waits for it, for so long.

        That is how a dead path is found out about by who only writes. Where the system cannot (it is Linux that can),
        it ends when the system gives up by itself.
        """
        used = self._transport.get_extra_info("socket")
        if used is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            used.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))

    async def relieve(self, most: int) -> None:
        """Wait, if more bytes than `most` have piled up, until the peer has taken enough; raises as `drain` does."""
        if self.buffered() > most:
            await self.drain()

    def leave(self) -> None:
        """Cut off a peer that leaves the rest unread. To be called at the end of the conversation.

        The peer has CLOSE_TIMEOUT to take it. aiohttp's close would wait for it, and keep socket and buffer.
        """
        if self.buffered():
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.abort)

    def abort(self) -> None:
        """Cut the connection: a close would wait for a peer that reads nothing, and keep its buffer."""
        self._transport.abort()
