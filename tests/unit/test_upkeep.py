"""What a bridge does beside answering, on a real file and with a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskcopilot import upkeep as upkeep_module
from taskcopilot.clock import iso
from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.errors import IdempotencyConflictError
from taskcopilot.events import TaskCreated
from taskcopilot.store.transaction import Tx
from taskcopilot.upkeep import KEYS_KEPT, WAL_INTERVAL, upkeep
from tests.helpers.bridge import as_json
from tests.helpers.clock import FakeClock
from tests.helpers.waiting import until


@contextlib.asynccontextmanager
async def kept(directory: Path, **flags: float) -> AsyncIterator[tuple[Core, FakeClock]]:
    """Open a core with its upkeep, and wait until all jobs had their first turn."""
    clock = FakeClock()
    settings = Settings.load({"db": directory / "tasks.db", **flags}, {})
    workspace = await asyncio.to_thread(settings.resolve_workspace)
    async with Core.open(settings, workspace=workspace, clock=clock, follow=False) as core, upkeep(core):
        await until(lambda: clock.sleepers == JOBS, "the first turn of all jobs")
        yield core, clock


JOBS = 4


async def wal_size(core: Core) -> int:
    """Return the bytes of the WAL."""
    return (await asyncio.to_thread(core.database.wal_path.stat)).st_size


async def pass_time(clock: FakeClock, seconds: float) -> None:
    """Move the clock second by second, letting every job take its turns."""
    for _ in range(round(seconds)):
        clock.advance(1.0)
        await until(lambda: clock.sleepers == JOBS, "the jobs to come to rest")


async def test_the_wal_is_emptied_after_an_interval(tmp_path: Path) -> None:
    """A quiet bridge does not leave its changes in the WAL for long."""
    async with kept(tmp_path) as (core, clock):
        await core.toolbox.call("task_create", {"title": "x"})
        assert await wal_size(core) > 0
        await pass_time(clock, WAL_INTERVAL)
        assert await wal_size(core) == 0


async def test_a_large_wal_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit it is emptied at the next look."""
    monkeypatch.setattr(upkeep_module, "WAL_LIMIT", 1_000)
    async with kept(tmp_path) as (core, clock):
        await core.toolbox.call("task_create", {"title": "x"})
        await pass_time(clock, 1)
        assert await wal_size(core) == 0


async def test_idempotency_keys_are_forgotten_after_a_week(tmp_path: Path) -> None:
    """Promise H6 holds for seven days; then the key is free again."""
    async with kept(tmp_path) as (core, clock):
        await core.toolbox.call("task_create", {"title": "first", "idempotencyKey": "k"})
        clock.advance(KEYS_KEPT.total_seconds() - 3_600)
        await until(lambda: clock.sleepers == JOBS)
        with pytest.raises(IdempotencyConflictError):
            await core.toolbox.call("task_create", {"title": "second", "idempotencyKey": "k"})
        clock.advance(7_200)
        await until(lambda: clock.sleepers == JOBS)
        await core.toolbox.call("task_create", {"title": "second", "idempotencyKey": "k"})


async def test_checkpoints_expire_by_themselves(tmp_path: Path) -> None:
    """Within an interval of its expiry a checkpoint is gone, and whoever listens is told, however many there are."""
    types: Counter[str] = Counter()
    async with kept(tmp_path) as (core, clock):
        tasks = [await core.toolbox.call("task_create", {"title": f"t{number}"}) for number in range(120)]
        for task in tasks * 5:
            await core.toolbox.call("checkpoint_create", {"taskId": as_json(task)["id"], "expiresIn": 1})
        subscription = core.bus.subscribe(lambda events: types.update(event.type for event in events))
        await pass_time(clock, 60 + core.settings.sweep_interval)
        subscription.close()
    assert types == {"checkpoint.expired": 600}


async def test_a_job_that_the_database_refuses_is_tried_again(tmp_path: Path) -> None:
    """A full disk or a busy database ends neither the job nor the others."""
    async with kept(tmp_path) as (core, clock):
        await core.recorder.record(lambda tx: tx.execute("ALTER TABLE idempotency_keys RENAME TO hidden"))
        clock.advance(3_600)
        await until(lambda: clock.sleepers == JOBS)
        await core.recorder.record(lambda tx: tx.execute("ALTER TABLE hidden RENAME TO idempotency_keys"))
        old = iso(clock.now() - 2 * KEYS_KEPT)
        await core.recorder.record(
            lambda tx: tx.execute("INSERT INTO idempotency_keys VALUES ('k', 't', 'h', 'r', ?)", (old,))
        )
        clock.advance(3_600)
        await until(lambda: clock.sleepers == JOBS)
        assert await core.database.read(lambda tx: tx.value("SELECT count(*) FROM idempotency_keys")) == 0


async def test_the_log_is_pruned_by_count_and_by_age(tmp_path: Path) -> None:
    """In pages; what is gone is known as gone, and the newest are kept."""
    async with kept(tmp_path, retention_events=700, retention_days=1) as (core, clock):

        def many(tx: Tx) -> None:
            for number in range(1_300):
                tx.emit(TaskCreated(task_id=str(number), task_title="t", created_at=tx.at))

        await core.recorder.record(many)
        await pass_time(clock, 61)
        state = await core.database.log_state()
        assert (state.head, state.pruned_to) == (1_300, 600)
        clock.advance(86_400)
        await until(lambda: clock.sleepers == JOBS)
        await core.toolbox.call("task_create", {"title": "young"})
        await pass_time(clock, 61)
        state, events = await core.database.read_log(0)
        assert (state.pruned_to, [event.seq for event in events]) == (1_300, [1_301])
