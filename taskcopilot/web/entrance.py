"""The entrance of every port: connections are counted before they are read, and too many are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import orjson

from taskcopilot.web.crowd import Crowd

__all__ = ["LINGER", "Entrance"]

LINGER: Final = 1.0
"""Seconds for one that is turned away to read why; closed at once, its own request would make it lose the answer."""

_LEAVING: Final = 256
"""How many may linger at once; beyond that they are cut off without a word."""

_RETRY_AFTER: Final = 5
"""Seconds after which it may try again."""

_MEANING: Final = {
    "max_connections": "the bridge has as many connections as it may have",
    "max_connections_per_address": "your address has as many connections as it may have",
}


class Entrance(asyncio.Protocol):
    """Lets a connection in and hands everything of it to the server's protocol, or tells it that it is too many."""

    def __init__(
        self,
        crowd: Crowd,
        leaving: set[asyncio.Transport],
        inside: Callable[[], asyncio.Protocol],
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        """`inside` makes the server's protocol; in `leaving` are the connections that linger while they are told.

        `arrived` is called before a place is asked for: whoever kept one for this connection gives it back.
        """
        self._arrived = arrived
        self._crowd = crowd
        self._leaving = leaving
        self._make = inside
        self._address = ""
        self._inside: asyncio.Protocol | None = None
        self._turned_away: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._arrived()
        if (full := self._crowd.enter(self._address)) is not None:
            self._turn_away(
                cast("asyncio.Transport", transport), full
            )  # uvloop's transport of TLS is not said to be one
            return
        self._inside = self._make()
        self._inside.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See Protocol."""
        if self._inside is not None:
            self._crowd.leave(self._address)
            self._inside.connection_lost(exc)
            self._inside = None
        elif self._turned_away is not None:
            self._leaving.discard(self._turned_away)

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        if self._inside is not None:
            self._inside.data_received(data)

    def eof_received(self) -> bool | None:
        """See Protocol."""
        return None if self._inside is None else self._inside.eof_received()

    def pause_writing(self) -> None:
        """See Protocol."""
        if self._inside is not None:
            self._inside.pause_writing()

    def resume_writing(self) -> None:
        """See Protocol."""
        if self._inside is not None:
            self._inside.resume_writing()

    def _turn_away(self, transport: asyncio.Transport, full: str) -> None:
        """Answer without having read the request; what still comes in is thrown away."""
        if len(self._leaving) >= _LEAVING:
            transport.abort()
            return
        self._turned_away = transport
        self._leaving.add(transport)
        transport.write(_answer(full))
        if transport.can_write_eof():
            transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER, transport.abort)


def _answer(full: str) -> bytes:
    detail = f"{_MEANING[full]} (--{full.replace('_', '-')})"
    problem = {
        "type": "urn:taskcopilot:problem:too-many-connections",
        "title": "Too many connections",
        "status": 503,
        "detail": detail,
        "code": "TOO_MANY_CONNECTIONS",
        "error": detail,
    }
    body = orjson.dumps(problem)
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {_RETRY_AFTER}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
