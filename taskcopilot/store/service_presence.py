"""Rows of `service_presence`: which process serves a service where, and who is in its rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson

from taskcopilot.clock import iso
from taskcopilot.store.transaction import ReadTx, Tx

__all__ = ["FRESH", "Presence", "find", "leave", "report"]

FRESH: Final = timedelta(minutes=3)
"""A row that nobody renewed for so long was left by a process that died; they are renewed three times as often."""

_REPORT: Final = """
    INSERT INTO service_presence (service, pid, host, port, connections, rooms, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (service) DO UPDATE SET pid = excluded.pid, host = excluded.host, port = excluded.port,
        connections = excluded.connections, rooms = excluded.rooms, updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A service as one process serves it. `port` is None when it has none of its own, only its path on the main one."""

    service: str
    pid: int
    host: str | None
    port: int | None
    connections: int
    rooms: Mapping[str, int]
    """Connections per room; a connection may be in several."""


def report(tx: Tx, presence: Presence) -> None:
    """Say how it is now."""
    rooms = orjson.dumps(dict(presence.rooms)).decode()
    where = (presence.service, presence.pid, presence.host, presence.port)
    tx.execute(_REPORT, (*where, presence.connections, rooms, tx.at))


def leave(tx: Tx, service: str, pid: int) -> None:
    """Say that the process serves it no longer; what another process said in the meantime stays."""
    tx.execute("DELETE FROM service_presence WHERE service = ? AND pid = ?", (service, pid))


def find(tx: ReadTx, service: str) -> Presence | None:
    """Return who serves it now, or None."""
    row = tx.one(
        "SELECT service, pid, host, port, connections, rooms FROM service_presence"
        " WHERE service = ? AND updated_at > ?",
        (service, iso(tx.now - FRESH)),
    )
    return None if row is None else Presence(**{**dict(row), "rooms": orjson.loads(row["rooms"])})
