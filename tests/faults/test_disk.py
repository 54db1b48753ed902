"""A disk that fails and a disk that is full: nobody is told a lie, and work goes on when the disk does."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from taskcopilot import recorder
from taskcopilot.errors import OutcomeUnknownError, StoreError
from taskcopilot.store.connection import Connection
from tests.helpers.bridge import core
from tests.helpers.crowd import crowd, free_port, log_of
from tests.helpers.processes import bridge
from tests.helpers.strace import SYNC, WRITE, injecting, require_strace
from tests.helpers.waiting import wait_until


def health(url: str) -> Any:
    """Ask the bridge how it is."""
    return requests.get(f"{url}/health", timeout=10).json()


class CommitFails:
    """Stands before a connection; its next COMMIT fails with an I/O error, before or after it was carried out."""

    def __init__(self, connection: sqlite3.Connection, *, saved: bool) -> None:
        self._connection = connection
        self._saved = saved

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement."""
        if sql != "COMMIT":
            return self._connection.execute(sql, *parameters)
        self._connection.execute("COMMIT" if self._saved else "ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR | (4 << 8)  # SQLITE_IOERR_FSYNC
        raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("saved", [True, False])
async def test_after_a_failed_commit_the_log_decides(tmp_path: Path, monkeypatch, *, saved: bool) -> None:
    """The caller is told that nobody knows; what turns out to be saved is published, once, in order; the key tells."""
    commit, failures = recorder._commit, [True]

    def once(connection: Any, *rest: Any) -> Any:
        return commit(CommitFails(connection, saved=saved) if failures.pop() else connection, *rest)

    call = {"title": "t", "idempotencyKey": "k"}
    async with core(tmp_path) as running:
        monkeypatch.setattr(recorder, "_commit", once)
        with pytest.raises(OutcomeUnknownError):
            await running.call("task_create", **call)
        failures += [False, False]
        await running.call("task_create", **call)
        await running.call("task_create", title="later")
        assert [event.seq for event in running.published] == [1, 2]
        assert running.published == (await running.database.read_log(0))[1]
        assert running.database.is_writable


async def test_nothing_is_written_before_writing_is_proved(tmp_path: Path, monkeypatch, caplog) -> None:
    """While the new connection cannot write either, units are refused unrun, and reads go on."""
    commit = recorder._commit

    def fail(connection: Any, *rest: Any) -> Any:
        return commit(CommitFails(connection, saved=True), *rest)

    async def refuse(*_arguments: object) -> Connection:
        raise sqlite3.OperationalError("disk I/O error")

    async with core(tmp_path) as running:
        monkeypatch.setattr(recorder, "_commit", fail)
        monkeypatch.setattr(Connection, "writing", refuse)
        with pytest.raises(OutcomeUnknownError):
            await running.call("task_create", title="saved all the same")
        ran: list[object] = []
        with pytest.raises(StoreError, match="refused"):
            await running.recorder.record(ran.append)
        assert ran == []
        assert not running.database.is_writable
        assert "cannot be written" in caplog.text
        assert len(await running.call("task_list")) == 1
        monkeypatch.undo()
        await running.call("task_create", title="later")
        assert running.database.is_writable
        assert [event.seq for event in running.published] == [1, 2]


@pytest.mark.parametrize("lasting", [False, True])
def test_a_sync_that_fails_is_told_as_unknown(tmp_path: Path, *, lasting: bool) -> None:
    """One EIO, then all: 500 OUTCOME_UNKNOWN, not ready while it lasts, and the repeated call has one event."""
    require_strace()
    with bridge(tmp_path, "--db", "tasks.db") as (process, ready), crowd(ready["url"], publishers=0) as people:
        assert people.create("before").ok
        fault = "error=EIO" if lasting else "error=EIO:when=1"
        with injecting(process.pid, SYNC, fault, new_threads=lasting):
            refused = people.create("key")
            assert (refused.status_code, refused.json()["code"]) == (500, "OUTCOME_UNKNOWN")
            if lasting:
                wait_until(lambda: not health(ready["url"])["ready"])
                assert people.create("another").json()["code"] == "STORE_ERROR"
                assert requests.get(f"{ready['url']}/api/tasks", timeout=10).ok
            else:
                people.acknowledged["key"] = people.create("key").json()
        people.acknowledged["key"] = people.create("key").json()
        people.acknowledged["before"] = people.create("before").json()
        wait_until(lambda: health(ready["url"])["ready"])
        assert [data["taskTitle"] for _, _, data in log_of(tmp_path / "tasks.db")] == ["before", "key"]
        people.check_log_rule(tmp_path / "tasks.db")


def test_what_was_unknown_may_be_there_after_a_crash(tmp_path: Path, say: Callable[[str], None]) -> None:
    """A commit whose sync failed, and a kill: whichever way it went, the repeated call leaves one event."""
    require_strace()
    where = ("--db", "tasks.db", "--port", str(free_port()))
    with bridge(tmp_path, *where) as (process, ready), crowd(ready["url"], publishers=0) as people:
        people.acknowledged["before"] = people.create("before").json()
        with injecting(process.pid, SYNC, "error=EIO"):
            assert people.create("key").json()["code"] == "OUTCOME_UNKNOWN"
            process.popen.kill()
            process.wait()
        with bridge(tmp_path, *where):
            rows = len(log_of(tmp_path / "tasks.db"))
            people.acknowledged["key"] = people.create("key").json()
            people.check_log_rule(tmp_path / "tasks.db")
            assert len(log_of(tmp_path / "tasks.db")) == 2
    say(f"a commit that failed with EIO was {'there' if rows == 2 else 'gone'} after a kill")


def test_a_full_disk_stops_writes_only_and_only_while_it_is_full(
    tmp_path: Path, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """507 to writers; reads and sockets go on; with space there again they write, without a restart or a hole."""
    require_strace()
    took = []
    with bridge(tmp_path, "--db", "tasks.db") as (process, ready), crowd(ready["url"]) as people:
        for _ in range(size(1, 3)):
            wait_until(lambda: len(people.acknowledged) > 20)
            with injecting(process.pid, WRITE, "error=ENOSPC"):
                before = len(people.refused)
                wait_until(lambda: len(people.refused) > before + 20)  # noqa: B023 - used up in this turn
                assert health(ready["url"])["status"] == "ok"
                assert requests.get(f"{ready['url']}/api/tasks", timeout=10).json()["tasks"]
            began, count = time.monotonic(), len(people.acknowledged)
            wait_until(lambda: len(people.acknowledged) > count + 5)  # noqa: B023
            took.append(time.monotonic() - began)
        people.stop()
        assert set(people.refused) == {(507, "STORE_FULL")}
        people.check_log_rule(tmp_path / "tasks.db")
        process.stop()
        assert "Traceback" not in process.err.text()
    assert max(took) < 10
    say(f"disk full {len(took)} times: writes again after {max(took):.2f} s, {len(people.refused)} calls refused")


async def test_a_checkpoint_that_fails_costs_no_patience(tmp_path: Path) -> None:
    """It is told as an error of the store, and the writer waits for locks as long as before."""

    class Refuses(CommitFails):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            return super().execute("COMMIT" if "checkpoint" in sql else sql, *parameters)

    async with core(tmp_path) as running:
        await running.call("task_create", title="t")
        writer, run_on = running.database._writer, running.database._writer.run
        writer.run = lambda unit: run_on(lambda connection: unit(Refuses(connection, saved=True)))  # type: ignore[method-assign]
        with pytest.raises(StoreError):
            await running.database.checkpoint()
        writer.run = run_on  # type: ignore[method-assign]
        assert await running.recorder.record(lambda tx: tx.value("PRAGMA busy_timeout")) == 5_000
        assert await running.database.checkpoint()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_is_really_full(small_disk: Path, size: Callable[[int, int], int]) -> None:
    """As above, by a file that takes all the room there is: also what SQLite shares between processes cannot grow."""
    filler = small_disk / "filler"
    with bridge(small_disk, "--db", "tasks.db") as (process, ready), crowd(ready["url"], publishers=1) as people:
        for _ in range(size(1, 3)):
            count = len(people.acknowledged)
            wait_until(lambda: len(people.acknowledged) > count + 3)  # noqa: B023 - used up in this turn
            fill(filler)
            before = len(people.refused)
            wait_until(lambda: len(people.refused) > before + 10)  # noqa: B023
            assert health(ready["url"])["status"] == "ok"
            assert requests.get(f"{ready['url']}/api/tasks", timeout=10).json()["tasks"]
            filler.unlink()
        count = len(people.acknowledged)
        wait_until(lambda: len(people.acknowledged) > count + 3)
        people.stop()
        assert {code for _, code in people.refused} <= {"STORE_FULL", "OUTCOME_UNKNOWN"}
        people.check_log_rule(small_disk / "tasks.db")
        process.stop()
        assert "Traceback" not in process.err.text()


def fill(file: Path) -> None:
    """Write until there is no room for another byte."""
    with file.open("wb", buffering=0) as writing:
        for piece in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while writing.write(bytes(piece)) == piece:
                    pass
