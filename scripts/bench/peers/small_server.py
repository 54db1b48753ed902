"""A WebSocket server on bare asyncio: shakes hands, says `subscribed` to whatever comes, and hands out transports."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import Final

from taskcopilot.bridge.frames import text_frame

__all__ = ["Subscriber", "listen"]

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"sec-websocket-key: (\S+)", re.IGNORECASE)
_SUBSCRIBED: Final = text_frame(b'{"type":"subscribed"}')
_LIMIT: Final = 1 << 30


class Subscriber(asyncio.Protocol):
    """A connection. After the handshake its transport is in `transports`."""

    def __init__(self, transports: set[asyncio.Transport]) -> None:
        self._transports = transports
        self._transport: asyncio.Transport
        self._shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        if isinstance(transport, asyncio.Transport) or hasattr(transport, "write"):
            self._transport = transport  # type: ignore[assignment]
            self._transport.set_write_buffer_limits(_LIMIT)

    def data_received(self, data: bytes) -> None:
        """Shake hands at first; afterwards anything counts as a subscription."""
        if self._shaken:
            self._transports.add(self._transport)
            self._transport.write(_SUBSCRIBED)
        elif key := _KEY.search(data):
            accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC, usedforsecurity=False).digest())
            head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            self._transport.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self._shaken = True

    def connection_lost(self, _error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transports.discard(self._transport)


async def listen(transports: set[asyncio.Transport]) -> int:
    """Listen on a free port and return it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Subscriber(transports), "127.0.0.1", 0, backlog=1024)
    return int(server.sockets[0].getsockname()[1])
