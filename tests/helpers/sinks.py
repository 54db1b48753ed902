"""A peer in memory: takes what the hub writes, or stops reading when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson


class MemorySink:
    """A sink whose peer reads at once, until `stall`; after `resume` it takes everything."""

    def __init__(self) -> None:
        self._taken = bytearray()
        self._waiting = bytearray()
        self._reading = asyncio.Event()
        self._reading.set()
        self.writes = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        """See Sink."""
        if data:
            self.writes += 1
        (self._taken if self._reading.is_set() else self._waiting).extend(data)

    def buffered(self) -> int:
        """See Sink."""
        return len(self._waiting)

    async def drain(self) -> None:
        """See Sink."""
        await self._reading.wait()

    def abort(self) -> None:
        """See Sink."""
        self.aborted = True

    def stall(self) -> None:
        """Stop reading."""
        self._reading.clear()

    def resume(self) -> None:
        """Read what waits, and go on reading."""
        self._taken += self._waiting
        self._waiting.clear()
        self._reading.set()

    def forget(self) -> None:
        """Start counting anew."""
        self._taken.clear()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All messages that the peer has read."""
        return [orjson.loads(payload) for payload in payloads(bytes(self._taken))]

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events that the peer has read, in their order."""
        return [message["seq"] for message in self.messages if message["type"] == "event"]


def payloads(data: bytes) -> Iterator[bytes]:
    """Split unmasked text frames (RFC 6455 section 5.2), control frames left out."""
    at = 0
    while at < len(data):
        opcode, length = data[at] & 0x0F, data[at + 1]
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if opcode == 1:
            yield data[at : at + length]
        at += length
