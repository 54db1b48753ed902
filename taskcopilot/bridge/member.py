"""A client as the hub sees it: where its bytes go, what it holds, and how far it is."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Protocol

from taskcopilot.bridge.subscriptions import Holdings, Replay
from taskcopilot.bridge.window import Encoded
from taskcopilot.bridge.wire import Wire
from taskcopilot.logs import CONNECTION
from taskcopilot.topics import Selector

__all__ = ["Group", "Member", "MemberState", "Sink"]


class Sink(Protocol):
    """Where a client's bytes go: a transport. Only `drain` waits."""

    def write(self, data: bytes) -> None:
        """Take the bytes at once; never blocks, never raises for a peer that is gone."""
        ...

    def buffered(self) -> int:
        """Return how many bytes the peer has not taken yet."""
        ...

    async def drain(self) -> None:
        """Wait until the peer has taken enough to be sent more; raises ConnectionError when the connection ends."""
        ...

    def abort(self) -> None:
        """Cut the connection at once, with whatever waits for the peer."""
        ...


class MemberState(Enum):
    """Live members get their group's bytes; the others read the log from their own position."""

    LIVE = auto()
    CATCHING_UP = auto()
    GONE = auto()


class Member:
    """One client of the hub. Only the hub changes it."""

    def __init__(self, sink: Sink, wire: Wire, position: int) -> None:
        self.sink = sink
        self.wire = wire
        self.holdings = Holdings()
        self.state = MemberState.LIVE
        self.position = position
        """While catching up: everything wanted up to this number was written. While live, the hub's head counts."""
        self.replays: deque[Replay] = deque()
        self.outstanding = 0
        """Events written since the peer had last taken everything."""
        self.connection = CONNECTION.get()
        """Which connection it is, for the log."""
        self.group: Group | None = None
        self.task: asyncio.Task[None] | None = None

    def complete_up_to(self, head: int) -> int:
        """Return the number up to which the client has every matching event (D8)."""
        if self.state is MemberState.LIVE:
            return head
        return min([self.position, *(replay.after for replay in self.replays)])


class Group:
    """Live members that get the same bytes: they hold the same selectors over the same wire."""

    __slots__ = ("members", "pending", "selectors", "timer", "wire")

    def __init__(self, wire: Wire, selectors: frozenset[Selector]) -> None:
        self.wire = wire
        self.selectors = selectors
        self.members: set[Member] = set()
        self.pending: list[Encoded] = []
        self.timer: asyncio.TimerHandle | None = None
