"""The recorder: all or nothing, in order, published once, whoever is cancelled or killed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from taskcopilot.errors import StoreError
from taskcopilot.events import TaskCreated
from taskcopilot.store import event_log
from taskcopilot.store.database import Database
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.workspace import Workspace
from tests.helpers.bridge import Core, core
from tests.helpers.clock import FakeClock
from tests.helpers.waiting import until


def emit(*names: str):
    """Return a unit that emits one event per name and answers them."""

    def unit(tx: Tx) -> tuple[str, ...]:
        for name in names:
            tx.emit(TaskCreated(task_id=name, task_title=name, created_at=tx.at))
        return names

    return unit


def failing(tx: Tx) -> None:
    """Write, emit, and fail."""
    emit("never")(tx)
    tx.execute("INSERT INTO initiatives (id, title, created_at, updated_at) VALUES ('x', 'x', 'x', 'x')")
    raise ValueError("no")


async def logged(bridge: Core) -> list[int]:
    """Return the numbers in the stored log."""
    _, events = await bridge.database.read_log(0, 10_000)
    return [event.seq for event in events]


async def test_a_unit_is_committed_and_published_before_it_answers(tmp_path: Path) -> None:
    """D7: whoever has the answer can rely on the events being on their way."""
    async with core(tmp_path) as bridge:
        assert await bridge.recorder.record(emit("a", "b")) == ("a", "b")
        assert [event.topic for event in bridge.published] == ["task:a", "task:b"]
        assert await logged(bridge) == [1, 2]


async def test_a_failing_unit_leaves_nothing_and_fails_alone(tmp_path: Path) -> None:
    """D6: units that shared the commit are not touched, and numbers have no holes."""
    async with core(tmp_path) as bridge:
        units = [emit("a"), failing, emit("b"), failing, emit("c")]
        results = await asyncio.gather(*map(bridge.recorder.record, units), return_exceptions=True)
        assert [type(result) for result in results] == [tuple, ValueError, tuple, ValueError, tuple]
        assert [(event.seq, event.topic) for event in bridge.published] == [(1, "task:a"), (2, "task:b"), (3, "task:c")]
        assert await bridge.database.read(lambda tx: tx.value("SELECT count(*) FROM initiatives")) == 0


async def test_units_that_wait_share_a_commit(tmp_path: Path) -> None:
    """Group commit: a hundred waiting units take far fewer than a hundred commits."""
    async with core(tmp_path) as bridge:
        batches: list[int] = []
        bridge.bus.subscribe(lambda events: batches.append(len(events)))
        await asyncio.gather(*(bridge.recorder.record(emit(str(number))) for number in range(100)))
        assert sum(batches) == 100
        assert len(batches) <= 4


async def test_a_cancelled_caller_leaves_no_event_unpublished(tmp_path: Path) -> None:
    """What is committed is published, whenever its caller went away."""
    chance = random.Random(7)
    async with core(tmp_path) as bridge:
        for number in range(200):
            task = asyncio.create_task(bridge.recorder.record(emit(str(number))))
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            task.cancel()
        await bridge.recorder.record(emit("last"))
        assert [event.seq for event in bridge.published] == await logged(bridge)
        assert bridge.published[-1].topic == "task:last"


async def test_closing_finishes_the_units_that_were_accepted(tmp_path: Path) -> None:
    """And refuses later ones instead of letting them wait for ever."""
    async with core(tmp_path) as bridge:
        accepted = [asyncio.create_task(bridge.recorder.record(emit(str(number)))) for number in range(300)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*accepted)) == 300
    with pytest.raises(StoreError):
        await bridge.recorder.record(emit("late"))


async def test_a_raising_receiver_keeps_nobody_else_from_hearing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """blinker alone would stop at the first one."""
    async with core(tmp_path) as bridge:

        def broken(_events: object) -> None:
            raise RuntimeError("receiver")

        subscriptions = [bridge.bus.subscribe(broken) for _ in range(3)]
        heard: list[int] = []
        bridge.bus.subscribe(lambda events: heard.extend(event.seq for event in events))
        await bridge.recorder.record(emit("a"))
        assert heard == [1] == [event.seq for event in bridge.published]
        assert "a bus receiver failed" in caplog.text
        for subscription in subscriptions:
            subscription.close()
            subscription.close()
        caplog.clear()
        await bridge.recorder.record(emit("b"))
        assert caplog.text == ""


async def test_events_of_two_processes_are_published_in_order_by_both(tmp_path: Path) -> None:
    """What the other one committed in between goes out first."""
    async with core(tmp_path) as first, core(tmp_path) as second:
        for number in range(20):
            await (first if number % 3 else second).recorder.record(emit(str(number), f"{number}b"))
        for bridge in (first, second):
            await bridge.recorder.catch_up()
            assert [event.seq for event in bridge.published] == list(range(1, 41))
        assert first.published == second.published


async def test_two_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    """Two recorders on one file, both under load."""
    async with core(tmp_path) as first, core(tmp_path) as second:
        await asyncio.gather(*(bridge.recorder.record(emit(str(n))) for n in range(150) for bridge in (first, second)))
        await asyncio.gather(first.recorder.catch_up(), second.recorder.catch_up())
        for bridge in (first, second):
            assert [event.seq for event in bridge.published] == list(range(1, 301))


async def test_a_long_backlog_of_another_process_is_read_in_pages(tmp_path: Path) -> None:
    """More events than one page, before one of ours."""
    async with core(tmp_path) as first, core(tmp_path) as second:
        names = [str(number) for number in range(event_log.PAGE * 2 + 7)]
        await first.recorder.record(emit(*names))
        await second.recorder.record(emit("mine"))
        assert [event.seq for event in second.published] == list(range(1, len(names) + 2))


async def test_a_log_keeps_its_epoch_and_its_head(tmp_path: Path) -> None:
    """A cursor is good after a restart; another log has another epoch."""
    async with core(tmp_path) as bridge:
        await bridge.recorder.record(emit("a", "b"))
        epoch = bridge.recorder.epoch
    async with core(tmp_path) as bridge:
        assert (bridge.recorder.epoch, bridge.recorder.head) == (epoch, 2)
        assert bridge.published == []
    async with core(tmp_path, file="other.db") as bridge:
        assert bridge.recorder.epoch != epoch


async def test_a_reader_sees_one_snapshot_while_others_write(tmp_path: Path) -> None:
    """And does not keep them from writing."""
    async with core(tmp_path) as bridge:
        reading, written = threading.Event(), threading.Event()

        def slow_read(tx: ReadTx) -> tuple[int, int]:
            before = tx.value("SELECT head FROM log_state")
            reading.set()
            assert written.wait(20)
            return before, tx.value("SELECT head FROM log_state")

        read = asyncio.create_task(bridge.database.read(slow_read))
        await until(reading.is_set)
        await bridge.recorder.record(emit("a"))
        written.set()
        assert await read == (0, 0)


async def test_a_reading_unit_cannot_write(tmp_path: Path) -> None:
    """Readers are read-only to the database too."""
    async with core(tmp_path) as bridge:
        with pytest.raises(StoreError):
            await bridge.database.read(lambda tx: tx.value("DELETE FROM events RETURNING seq"))


async def test_a_checkpoint_waits_for_writers_of_other_processes(tmp_path: Path) -> None:
    """The lock that keeps writes and checkpoints of two connections apart."""
    async with core(tmp_path) as bridge:
        await bridge.recorder.record(emit("a"))
        other = Database(Workspace.at(tmp_path / "tasks.db"), FakeClock())
        from taskcopilot.store.lock import WriteLock

        lock = WriteLock(other.path.with_name("tasks.db.lock"))
        try:
            with lock.writing():
                assert await bridge.database.checkpoint() is False
            assert await bridge.database.checkpoint() is True
        finally:
            lock.close()


async def test_the_database_is_durable_and_private(tmp_path: Path) -> None:
    """WAL, synchronous=FULL, foreign keys, no automatic checkpoints, no temporary files; files for their owner only."""
    async with core(tmp_path / "new" / "deep") as bridge:

        def pragmas(tx: Tx) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "temp_store")
            return [tx.value(f"PRAGMA {name}") for name in names]

        assert await bridge.recorder.record(pragmas) == ["wal", 2, 1, 0, 2]
        files = list((tmp_path / "new" / "deep").iterdir())
        assert len(files) >= 3
        assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
        assert oct((tmp_path / "new" / "deep").stat().st_mode & 0o777) == "0o700"


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An old program does not guess at a schema that it does not know."""
    async with core(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "tasks.db") as connection:
        connection.execute("INSERT INTO migrations (version, applied_at) VALUES (9999, 'x')")
    connection.close()
    before = (tmp_path / "tasks.db").read_bytes()
    with pytest.raises(StoreError, match="please upgrade"):
        async with core(tmp_path):
            pass
    assert before == (tmp_path / "tasks.db").read_bytes()


async def test_a_database_from_before_the_diary_had_all_its_columns_is_completed(tmp_path: Path) -> None:
    """The original changed its first migration once: databases made before that lack two columns."""
    async with core(tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        for column in ("entity_type", "metadata"):
            connection.execute(f"ALTER TABLE activity_log DROP COLUMN {column}")
        connection.commit()
    async with core(tmp_path) as bridge:
        await bridge.call("initiative_link", initiativeId="I", title="t")
        assert await bridge.database.read(lambda tx: tx.value("SELECT entity_type FROM activity_log")) == "initiative"


async def test_a_reader_that_takes_its_time_does_not_hold_up_a_checkpoint(tmp_path: Path) -> None:
    """The checkpoint does what it can and leaves the rest for the next time."""
    async with core(tmp_path) as bridge:
        await bridge.recorder.record(emit("a"))
        with contextlib.closing(sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            await bridge.recorder.record(emit("b"))
            started = time.monotonic()
            assert await bridge.database.checkpoint()
            assert time.monotonic() - started < 4


@pytest.mark.parametrize("content", [b"this is no database at all, but long enough to be read as one" * 40])
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Never a silent empty store in its place."""
    (tmp_path / "tasks.db").write_bytes(content)
    with pytest.raises(StoreError):
        async with core(tmp_path):
            pass
    assert content == (tmp_path / "tasks.db").read_bytes()


async def test_many_first_starts_at_once_make_one_log(tmp_path: Path) -> None:
    """Migrations are applied once, whoever comes first."""
    bridges = [core(tmp_path) for _ in range(4)]
    opened = await asyncio.gather(*(bridge.__aenter__() for bridge in bridges))
    try:
        assert len({bridge.recorder.epoch for bridge in opened}) == 1
    finally:
        for bridge in bridges:
            await bridge.__aexit__(None, None, None)
