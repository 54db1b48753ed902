"""What a unit of work sees of the database: a snapshot to read, and, when it writes, events to emit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from taskcopilot.clock import Clock, iso
from taskcopilot.events import NO_STREAM, Event, Payload
from taskcopilot.store.derived import Derived
from taskcopilot.store.event_rows import read_events
from taskcopilot.store.lenient import query
from taskcopilot.workspace import Workspace

__all__ = ["Emitted", "ReadTx", "Surroundings", "Tx"]


class Emitted(NamedTuple):
    """An event that has no number yet."""

    topic: str
    type: str
    data: bytes
    rooms: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a unit may know of the world outside the database."""

    clock: Clock
    workspace: Workspace
    derived: Derived = field(default_factory=Derived)


class ReadTx:
    """One consistent snapshot. Lives on a connection's thread, for the length of one unit; never keep it.

    Text that is no UTF-8, which only an edit by hand brings in, is read with U+FFFD in its place.
    """

    def __init__(self, connection: sqlite3.Connection, surroundings: Surroundings) -> None:
        self._connection = connection
        self._clock = surroundings.clock
        self.workspace = surroundings.workspace
        self.derived = surroundings.derived
        self.now = surroundings.clock.now()
        """The moment of the unit: every row and event of it carries the same."""
        self.at = iso(self.now)

    @property
    def version(self) -> tuple[int, int]:
        """Name the connection, and count the commits of others that its snapshots have seen.

        For the same connection, the same number means the same rows. Meant for connections that only read: their own
        commits do not count.
        """
        return id(self._connection), self.value("PRAGMA data_version")

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows."""
        return query(self._connection, sqlite3.Cursor.fetchall, sql, parameters)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row, or None."""
        return query(self._connection, _first, sql, parameters)

    def events(self, sql: str, parameters: Sequence[Any] = ()) -> list[Event]:
        """Return the events of a query for the columns seq, at, topic, type, data, rooms, about."""
        return read_events(self._connection, sql, parameters)

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = query(self._connection, _first, sql, parameters)
        return None if row is None else row[0]


def _first(cursor: sqlite3.Cursor) -> sqlite3.Row | None:
    return cursor.fetchone()  # type: ignore[no-any-return]


class Tx(ReadTx):
    """A unit of work that writes. All of it is committed, with its events, or nothing is."""

    def __init__(self, connection: sqlite3.Connection, surroundings: Surroundings) -> None:
        super().__init__(connection, surroundings)
        self.derived = Derived()  # of its own: what is not committed yet must not be remembered
        self.emitted: list[Emitted] = []
        self.passed: list[Emitted] = []

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows that it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""
        self._connection.executemany(sql, rows)

    def new_id(self, prefix: str = "") -> str:
        """Return a fresh id such as `TASK-<uuid4>`; a bare UUID without a prefix."""
        return f"{prefix}-{self._clock.new_id()}" if prefix else self._clock.new_id()

    def emit(self, payload: Payload) -> None:
        """Declare an event. It gets its number when the unit commits, and is delivered only then."""
        topic = payload.topic()
        self.announce(Emitted(topic, payload.type, payload.encode(), (), self._about(payload, topic)))

    def announce(self, event: Emitted) -> None:
        """Declare an event that is no Payload; as `emit`."""
        self.emitted.append(event)

    def pass_on(self, event: Emitted) -> None:
        """Declare a passing event: delivered when the unit has committed, and never in the log."""
        self.passed.append(event)

    def _about(self, payload: Payload, topic: str) -> tuple[str, ...]:
        """Return the topics of the payload's task and of its stream, without the one that it is on.

        A name with a line feed is left out: lines are what separates them in the log.
        """
        task, stream = getattr(payload, "task_id", None), getattr(payload, "stream_id", None)
        if task and stream in (None, NO_STREAM):
            stream = self.value("SELECT stream_id FROM tasks WHERE id = ?", (task,))
        topics = (f"task:{task}" if task else None, f"stream:{stream}" if stream else None)
        return tuple(each for each in topics if each is not None and each != topic and "\n" not in each)
