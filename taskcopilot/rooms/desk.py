"""A service as this process serves it: who is connected, who is in which room, and what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from taskcopilot.auth.identity import Identity
from taskcopilot.bridge.connection import Past
from taskcopilot.bridge.hub import Hub
from taskcopilot.clock import Clock
from taskcopilot.services.publishing import Publisher
from taskcopilot.services.service import Service
from taskcopilot.store.database import Database

__all__ = ["MAX_CONNECTIONS", "Backing", "Desk", "Identify"]

Identify = Callable[[str], Awaitable[Identity]]
"""Returns whom a token stands for; raises RefusedError for one that is not good."""

MAX_CONNECTIONS: Final = 1_000
"""Connections that a service serves at once, those that have not shown their token included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What the services of a process share."""

    hub: Hub
    past: Past
    database: Database
    publisher: Publisher
    clock: Clock
    message_rate: float
    """Messages a second that one client may send."""
    identify: Identify | None = None
    """Who checks tokens; None lets everybody in."""


@dataclass(slots=True, eq=False)
class Desk:
    """One service. Used from the event loop only."""

    service: Service
    backing: Backing
    max_connections: int = MAX_CONNECTIONS
    connections: int = 0
    rooms: Counter[str] = field(default_factory=Counter)
    """Connections per room; rooms that nobody is in are not kept."""
    host: str | None = None
    port: int | None = None
    """Where the service is reached on its own; None while it is on the main port only."""
    accepted: int = 0
    received: Counter[str] = field(default_factory=Counter)
    """Messages of clients by verb."""
    errors: Counter[str] = field(default_factory=Counter)
    """Refusals by code."""

    def enter(self) -> bool:
        """Count a connection in; False when the service is full, and then it is not counted."""
        if self.connections >= self.max_connections:
            self.errors["max_connections"] += 1
            return False
        self.connections += 1
        self.accepted += 1
        return True

    def leave(self, rooms: set[str]) -> None:
        """Count a connection out of the service and of its rooms."""
        self.connections -= 1
        for room in rooms:
            self.left(room)

    def joined(self, room: str) -> None:
        """Count one more in a room."""
        self.rooms[room] += 1

    def left(self, room: str) -> None:
        """Count one less in a room."""
        self.rooms[room] -= 1
        if not self.rooms[room]:
            del self.rooms[room]
