"""Numbered migrations, each applied in one transaction together with the record that it was.

1 to 10 are the original system's own: a database that it wrote at any of these versions is carried on from there.
Ours follow from 11 on.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Final

from taskcopilot.clock import Clock, iso
from taskcopilot.errors import StoreError

__all__ = ["Migration", "load", "migrate"]

_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str


def load() -> list[Migration]:
    """Return the migrations that this version of the bridge knows, in order."""
    files = (resources.files("taskcopilot.store") / "schema").iterdir()
    found = ((_NAME.fullmatch(file.name), file) for file in files)
    return sorted(
        (Migration(int(match[1]), match[2], file.read_text("utf-8")) for match, file in found if match),
        key=lambda migration: migration.version,
    )


def migrate(connection: sqlite3.Connection, clock: Clock) -> list[int]:
    """Bring the database up to date and return the versions applied.

    Several processes may start at once: each step looks again under the write lock. Raises StoreError when the
    database is newer than this program; then nothing is touched.
    """
    known = load()
    _refuse_newer(connection, known[-1].version)
    applied = [step.version for step in known if _apply(connection, step, clock)]
    _complete_early_diary(connection)
    return applied


def _refuse_newer(connection: sqlite3.Connection, newest: int) -> None:
    found = _version(connection)
    if found > newest:
        raise StoreError(
            f"the database is of schema version {found}, this program knows up to {newest}: please upgrade"
        )


def _version(connection: sqlite3.Connection) -> int:
    exists = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'").fetchone()
    return connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0] if exists else 0


def _apply(connection: sqlite3.Connection, step: Migration, clock: Clock) -> bool:
    if _version(connection) >= step.version:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        if fresh := _version(connection) < step.version:
            _run(connection, step, clock)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return fresh


def _complete_early_diary(connection: sqlite3.Connection) -> None:
    """Add the columns that the original added to the text of its first migration later on, without a new one.

    Its databases from before that have a version like all others, and no such columns.
    """
    present = {row[1] for row in connection.execute("PRAGMA table_info(activity_log)")}
    missing = [column for column in ("entity_type", "metadata") if column not in present]
    if missing:
        connection.execute("BEGIN IMMEDIATE")
        for column in missing:
            connection.execute(f"ALTER TABLE activity_log ADD COLUMN {column} TEXT")
        connection.execute("COMMIT")


def _run(connection: sqlite3.Connection, step: Migration, clock: Clock) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
    for statement in _statements(step.sql):
        connection.execute(statement)
    connection.execute("INSERT INTO migrations (version, applied_at) VALUES (?, ?)", (step.version, iso(clock.now())))


def _statements(script: str) -> Iterator[str]:
    """Split at the semicolons that end statements: `executescript` would commit our transaction first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip() and not all(line.startswith("--") for line in pending.split("\n") if line.strip()):
        raise StoreError(f"a migration ends in the middle of a statement: {pending[:80]!r}")
