"""HTTP on kept-alive connections, with so little work on our side that the server is what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final, Self

__all__ = ["KeptAlive", "rate"]

_OK: Final = b"HTTP/1.1 200"


class KeptAlive:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> Self:
        """Connect to the machine itself."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))

    async def send(self, request: bytes) -> bytes:
        """Send a whole request and return the body of its answer; anything but 200 is an error."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = await self._reader.readexactly(int(length))
        if not head.startswith(_OK):
            raise RuntimeError(f"{head.decode()}{body.decode()}")
        return body

    def close(self) -> None:
        """Let go."""
        self._writer.close()


def get(port: int, path: str) -> bytes:
    """Build a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def post(port: int, path: str, body: bytes) -> bytes:
    """Build a POST of JSON."""
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


async def rate(port: int, connections: int, requests: Iterator[bytes], seconds: float) -> float:
    """Send requests over some connections, each waiting for its answer, and return how many were answered a second."""
    peers = [await KeptAlive.to(port) for _ in range(connections)]
    began = time.perf_counter()

    async def pump(peer: KeptAlive) -> int:
        count = 0
        while time.perf_counter() - began < seconds:
            await peer.send(next(requests))
            count += 1
        return count

    counts = await asyncio.gather(*map(pump, peers))
    took = time.perf_counter() - began
    for peer in peers:
        peer.close()
    return sum(counts) / took


async def times(port: int, request: bytes, count: int, between: Iterator[bytes] | None = None) -> list[float]:
    """Send the same request again and again on one connection, and return how long each answer took, in ms.

    Before each, one of the requests `between` is sent, whose time does not count.
    """
    peer = await KeptAlive.to(port)
    found = []
    for _ in range(count):
        if between is not None:
            await peer.send(next(between))
        began = time.perf_counter()
        await peer.send(request)
        found.append((time.perf_counter() - began) * 1_000)
    peer.close()
    return found
