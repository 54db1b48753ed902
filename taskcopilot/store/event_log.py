"""The event log: appended to inside the units' transaction, read by everybody else.

`log_state` is one row. `head` is the number given out last; because it is updated under the write lock, the order of
numbers is the order of commits, on SQLite and on PostgreSQL alike. `pruned_to` is the last number that retention
removed: events up to it are gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from taskcopilot.events import Event
from taskcopilot.store.event_rows import joined, read_events
from taskcopilot.store.transaction import Emitted, Tx

__all__ = ["PAGE", "LogState", "append", "create", "next_seq", "prune", "read_page", "read_page_before", "state"]

PAGE: Final = 500
"""Rows a reading transaction takes at once: a long reader keeps the WAL from being reset (91 MiB, measured)."""


@dataclass(frozen=True, slots=True)
class LogState:
    """The log at one moment: its epoch, the newest number, and the newest number that is gone."""

    epoch: str
    head: int
    pruned_to: int


def create(connection: sqlite3.Connection, epoch: str) -> None:
    """Give a new log its epoch; a log that has one keeps it, and nobody has to wait for the right to write."""
    if connection.execute("SELECT 1 FROM log_state WHERE id = 1").fetchone():
        return
    connection.execute(
        "INSERT INTO log_state (id, epoch, head, pruned_to) VALUES (1, ?, 0, 0) ON CONFLICT (id) DO NOTHING", (epoch,)
    )


def state(connection: sqlite3.Connection) -> LogState:
    """Return the state of the log in the connection's snapshot."""
    epoch, head, pruned_to = connection.execute("SELECT epoch, head, pruned_to FROM log_state WHERE id = 1").fetchone()
    return LogState(epoch, head, pruned_to)


def append(connection: sqlite3.Connection, at: str, emitted: Sequence[Emitted]) -> list[Event]:
    """Number the events and write them, inside the caller's transaction; return them as they will be delivered."""
    if not emitted:
        return []
    bump = connection.execute("UPDATE log_state SET head = head + ? WHERE id = 1 RETURNING head", (len(emitted),))
    first = bump.fetchone()[0] - len(emitted) + 1
    events = [Event(seq, at, *event) for seq, event in enumerate(emitted, first)]
    connection.executemany(
        "INSERT INTO events (seq, at, topic, type, data, rooms, about) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(e.seq, e.at, e.topic, e.type, e.data.decode(), joined(e.rooms), joined(e.about)) for e in events],
    )
    return events


def read_page_before(connection: sqlite3.Connection, before: int, limit: int = PAGE) -> list[Event]:
    """Return up to `limit` events before the number `before`, newest first."""
    return read_events(
        connection,
        "SELECT seq, at, topic, type, data, rooms, about FROM events WHERE seq < ? ORDER BY seq DESC LIMIT ?",
        (before, limit),
    )


def prune(tx: Tx, keep: int, before: str) -> int:
    """Remove the oldest events beyond the newest `keep`, and those committed before a moment; a page at most.

    Returns how many were removed: when it is a whole page, there may be more.
    """
    head, pruned_to = tx.one("SELECT head, pruned_to FROM log_state WHERE id = 1") or (0, 0)
    oldest = tx.all("SELECT seq, at FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (pruned_to, PAGE))
    going = [row["seq"] for row in takewhile(lambda row: row["seq"] <= head - keep or str(row["at"]) < before, oldest)]
    if going:
        tx.execute("DELETE FROM events WHERE seq <= ?", (going[-1],))
        tx.execute("UPDATE log_state SET pruned_to = ? WHERE id = 1", (going[-1],))
    return len(going)


def read_page(connection: sqlite3.Connection, after: int, limit: int = PAGE) -> list[Event]:
    """Return up to `limit` events after the number `after`, oldest first."""
    return read_events(
        connection,
        "SELECT seq, at, topic, type, data, rooms, about FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, limit),
    )


def next_seq(tx: Tx) -> int:
    """Return the number that the next event of this unit gets when it commits."""
    head: int = tx.value("SELECT head FROM log_state WHERE id = 1")
    return head + len(tx.emitted) + 1
