"""Much at once: a burst to everybody, and everybody back at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from taskcopilot.bridge.hub import WINDOW
from taskcopilot.clock import iso
from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.events import TaskCreated
from taskcopilot.store.transaction import Tx
from tests.helpers.load.bridge import NOISE, Bridge
from tests.helpers.load.heard import Frames, all_reach
from tests.helpers.load.listener import Listener, crowd
from tests.helpers.load.log_rule import StoredLog, percentile, summary
from tests.helpers.load.writer import TITLE, Writer
from tests.helpers.waiting import DEADLINE


def neighbour(bridge: Bridge) -> contextlib.AbstractAsyncContextManager[Core]:
    """Open the bridge's workspace, as its other processes do."""
    return Core.open(Settings.load({"db": bridge.database}, {}), follow=False)


def everything(_topic: str) -> bool:
    """Say that all events are wanted."""
    return True


async def commit_at_once(core: Core, count: int) -> None:
    """Commit so many events in one transaction, as no tool does."""

    def write(tx: Tx) -> None:
        at = iso(core.clock.now())
        for number in range(count):
            tx.emit(TaskCreated(task_id=f"TASK-{number}", task_title=TITLE, created_at=at))

    await core.recorder.record(write)


async def test_a_burst_reaches_everybody_and_its_memory_is_given_back(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None]
) -> None:
    """D1, D9: measured from the start of the transaction to the last client's last read; memory against that of a
    bridge in use, whose window of the newest events is full already.
    """
    count, clients, frames = size(1_000, 5_000), size(20, 100), Frames()
    async with crowd(bridge.port, clients, frames, lambda _: ["*"]) as listeners, neighbour(bridge) as core:
        heard = [listener.heard for listener in listeners]
        await commit_at_once(core, WINDOW)
        await all_reach(heard, WINDOW, DEADLINE)
        before = bridge.vitals().rss
        began = time.monotonic()
        await commit_at_once(core, count)
        committed = time.monotonic() - began
        await all_reach(heard, WINDOW + count, 5 * NOISE)
        took = time.monotonic() - began
        at_the_end = bridge.vitals().rss
        await until_at_most(bridge, before * 1.1)
        log = await StoredLog.read(bridge.port)
    log.check_frames(frames)
    log.check_heard(heard, everything)
    say(
        f"{count} events to {clients} clients in {took:.2f} s, of which the commit took {committed:.2f} s; "
        f"RSS before {before:.1f}, at the end {at_the_end:.1f} MiB"
    )
    assert took <= 5 * NOISE


async def until_at_most(bridge: Bridge, rss: float) -> None:
    """Return when the bridge uses at most so many MiB."""
    deadline = time.monotonic() + 10
    while (now := bridge.vitals().rss) > rss:
        assert time.monotonic() < deadline, f"RSS stays at {now:.0f} MiB, above {rss:.0f}"
        await asyncio.sleep(0)


@pytest.mark.parametrize("missed", [1_000, WINDOW + 1_000])
async def test_everybody_comes_back_at_once_and_the_others_do_not_notice(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None], missed: int
) -> None:
    """D4, D9: clients resume from their cursors, out of memory and out of the database, while events go on. Measured:
    from the reconnect to the last client's last missed event, and event to receive of a client that never left.
    """
    clients, frames = size(20, 200), Frames()
    async with (
        crowd(bridge.port, 1, frames, lambda _: ["*"]) as healthy,
        Writer.connected(bridge.port, 16) as writer,
    ):
        async with crowd(bridge.port, clients, frames, lambda _: ["*"]) as leaving:
            await writer.create(1)
            heard = [listener.heard for listener in leaving]
            await all_reach(heard, 1, DEADLINE)
        async with neighbour(bridge) as core:
            await commit_at_once(core, missed)
        before = await StoredLog.read(bridge.port)

        live = asyncio.create_task(writer.create_at(size(50, 500), 50))
        back = [Listener(one) for one in heard]
        began = time.monotonic()
        try:
            await asyncio.gather(*(come_back(listener, bridge.port, before.epoch) for listener in back))
            await all_reach(heard, before.head, 10 * NOISE)
            took = time.monotonic() - began
            await live
            log = await StoredLog.read(bridge.port)
            everybody = [*heard, healthy[0].heard]
            await all_reach(everybody, log.head, DEADLINE)
        finally:
            await asyncio.gather(*(listener.drop() for listener in back))
        log.check_acknowledged(writer.acknowledged)
        log.check_frames(frames)
        log.check_heard(everybody, everything)
        assert all(one.replayed >= missed for one in heard)
        delays = log.delays([healthy[0].heard], after=before.head)
        say(
            f"{clients} clients, each {missed} events behind, had them after {took:.2f} s; "
            f"event to receive of one that had stayed: {summary(delays)}"
        )
        assert took <= 10 * NOISE
        assert percentile(delays, 0.99) <= 250 * NOISE


async def come_back(listener: Listener, port: int, epoch: str) -> None:
    """Connect and resume after the newest event that was heard."""
    assert await listener.connect(port) == 101
    answer = await listener.subscribe(["*"], since=f"{epoch}:{listener.heard.last}")
    assert (answer["recovered"], "gap" in answer) == (True, False)
