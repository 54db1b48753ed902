"""Another process holds the database: a short wait is waited for, a long one is told, and nothing else stops."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.helpers.crowd import crowd, log_of
from tests.helpers.processes import bridge, run

HELD = 0.5
"""Seconds for which the lock is held where the bridge waits for it."""


@contextlib.contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the database for oneself, as a program in the middle of a long transaction does."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_short_wait_ends_well(tmp_path: Path) -> None:
    """A call that comes while another process writes is slower, and that is all."""
    with bridge(tmp_path, "--db", "tasks.db") as (_, ready), crowd(ready["url"], publishers=0) as people:
        assert people.create("before").ok
        with ThreadPoolExecutor(1) as caller:
            with held(tmp_path / "tasks.db"):
                call: Future[requests.Response] = caller.submit(people.create, "key")
                with pytest.raises(TimeoutError):
                    call.result(HELD)
                answer_while_held(ready["url"])
            assert call.result(10).ok
        people.acknowledged["key"] = people.create("key").json()
        people.acknowledged["before"] = people.create("before").json()
        people.check_log_rule(tmp_path / "tasks.db")


def test_a_long_wait_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """503 STORE_BUSY with Retry-After after the busy time-out; nothing is half written; the same key works later."""
    options = ("--db", "tasks.db", "--busy-timeout", "0.3")
    with bridge(tmp_path, *options) as (_, ready), crowd(ready["url"], publishers=0) as people:
        assert people.create("before").ok
        with held(tmp_path / "tasks.db"):
            began = time.monotonic()
            refused = people.create("key")
            took = time.monotonic() - began
            answer_while_held(ready["url"])
        assert (refused.status_code, refused.json()["code"]) == (503, "STORE_BUSY")
        assert int(refused.headers["Retry-After"]) >= 1
        assert 0.3 <= took < 4
        assert [data["taskTitle"] for _, _, data in log_of(tmp_path / "tasks.db")] == ["before"]
        people.acknowledged["key"] = people.create("key").json()
        people.acknowledged["before"] = people.create("before").json()
        people.check_log_rule(tmp_path / "tasks.db")


def test_whoever_starts_meanwhile_reads_and_is_told_when_it_writes(tmp_path: Path) -> None:
    """A process that comes while another one holds the database opens it, reads, and is refused a write in one line."""
    where, patience = ("--db", "tasks.db"), {"TASKCOPILOT_BUSY_TIMEOUT": "0.3"}
    assert run(tmp_path, "task", "create", "first", *where).returncode == 0
    with held(tmp_path / "tasks.db"):
        with bridge(tmp_path, *where, **patience) as (_, ready):
            answer_while_held(ready["url"])
        listed = run(tmp_path, "task", "list", *where, **patience)
        refused = run(tmp_path, "task", "create", "second", *where, **patience)
    assert listed.returncode == 0
    assert "first" in listed.stdout
    assert refused.returncode == 1
    assert refused.stderr == "error: another process holds the database; nothing was changed; try again\n"
    assert len(log_of(tmp_path / "tasks.db")) == 1


def answer_while_held(url: str) -> None:
    """Health, reads and the log are answered while another process holds the database."""
    for path in ("/health", "/api/tasks", "/api/events"):
        assert requests.get(f"{url}{path}", timeout=4).ok, path
    assert requests.get(f"{url}/health", timeout=4).json()["ready"]
