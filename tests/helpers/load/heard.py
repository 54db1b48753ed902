"""What clients heard: which events, when, and whether all of them heard the same bytes."""

from __future__ import annotations

import asyncio
from array import array

_SEQ_AT = len('{"type":"event","timestamp":"2026-01-08T12:00:30.000Z","seq":')


class Frames:
    """The first bytes that anybody heard of each event, live and replayed. All others must hear the same."""

    def __init__(self) -> None:
        self.live: dict[int, bytes] = {}
        self.replayed: dict[int, bytes] = {}
        self.differing: list[tuple[bytes, bytes]] = []

    def compare(self, seq: int, payload: bytes, *, replayed: bool) -> None:
        """Keep the first bytes of an event, and note where later ones are not the same."""
        known = (self.replayed if replayed else self.live).setdefault(seq, payload)
        if known != payload:
            self.differing.append((known, payload))


class Heard:
    """The events of one client, over all of its connections, in the order in which they came."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._goal = 1 << 62
        self._reached = asyncio.Event()
        self.seqs = array("q")
        self.moments = array("d")
        """Wall time at which each was read from the socket, in seconds."""
        self.replayed = 0

    def note(self, payload: bytes, moment: float) -> None:
        """Take an event message."""
        comma = payload.index(b",", _SEQ_AT)
        seq = int(payload[_SEQ_AT:comma])
        replayed = payload.startswith(b'"replayed"', comma + 1)
        self._frames.compare(seq, payload, replayed=replayed)
        self.replayed += replayed
        self.seqs.append(seq)
        self.moments.append(moment)
        if seq >= self._goal:
            self._reached.set()

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self.seqs[-1] if self.seqs else 0

    async def reach(self, seq: int) -> None:
        """Return when an event with this number, or a later one, was heard."""
        self._goal = seq
        if self.last < seq:
            self._reached.clear()
            await self._reached.wait()


async def all_reach(heard: list[Heard], seq: int, seconds: float) -> None:
    """Return when everybody heard that event; fail after some seconds, naming how many did not."""
    try:
        async with asyncio.timeout(seconds):
            for one in heard:
                await one.reach(seq)
    except TimeoutError:
        behind = [one.last for one in heard if one.last < seq]
        raise AssertionError(f"{len(behind)} of {len(heard)} never heard event {seq}, but up to {behind[:5]}") from None
