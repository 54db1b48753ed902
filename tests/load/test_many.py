"""Many connections: idle ones, all at once, and come and gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.web.keys import HUB
from taskcopilot.web.ws import SOCKETS
from tests.helpers.load.bridge import NOISE, Bridge, running_bridge
from tests.helpers.load.heard import Frames, Heard, all_reach
from tests.helpers.load.listener import Listener, crowd
from tests.helpers.load.log_rule import StoredLog, percentile, summary
from tests.helpers.load.writer import Caller, Writer
from tests.helpers.server import running_server
from tests.helpers.waiting import DEADLINE, until


def is_task(topic: str) -> bool:
    """Say whether a topic is a task."""
    return topic.startswith("task:")


async def test_idle_connections_cost_little_and_slow_nobody(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None]
) -> None:
    """D1: each idle client holds a pattern of its own that nothing matches. Measured: the growth of the process by
    them, and event to receive (from the event's `at`, inside its transaction) of the others.
    """
    idle, active, rate, frames = size(200, 1_000), size(20, 100), 100, Frames()
    async with (
        Writer.connected(bridge.port) as writer,
        crowd(bridge.port, active, frames, lambda _: ["task:*"]) as listeners,
    ):
        before = bridge.vitals()
        async with crowd(bridge.port, idle, frames, lambda number: [f"agent:{number}"]) as waiting:
            each = (bridge.vitals().rss - before.rss) * 1_024 / idle
            await writer.create_at(rate * size(1, 15), rate)
            log = await StoredLog.read(bridge.port)
            heard = [listener.heard for listener in listeners]
            await all_reach(heard, log.head, DEADLINE)
            rss = bridge.vitals().rss
            assert not any(len(listener.heard.seqs) for listener in waiting)
    log.check_acknowledged(writer.acknowledged)
    log.check_frames(frames)
    log.check_heard(heard, is_task)
    delays = log.delays(heard)
    say(f"{idle} idle at {each:.1f} KiB each, {active} active: RSS {rss:.0f} MiB, event to receive {summary(delays)}")
    assert each <= 30
    assert rss <= 120
    assert percentile(delays, 0.99) <= 100 * NOISE


async def test_a_storm_of_connects_is_served_and_health_answers(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None]
) -> None:
    """C1: measured from the first connect to the last answer to a subscribe; meanwhile /health is asked without pause,
    over one connection, from request to answer. The storm and the asking share one core.
    """
    count, frames = size(100, 500), Frames()
    storm = [Listener(Heard(frames)) for _ in range(count)]
    try:
        async with Caller.connected(bridge.port) as caller:
            began = time.monotonic()
            serving = asyncio.gather(*(arrive(listener, bridge.port) for listener in storm))
            slowest = [await asked(caller)]
            while not serving.done():
                slowest.append(await asked(caller))
            statuses = await serving
            took = time.monotonic() - began
        assert statuses == [101] * count
        async with Writer.connected(bridge.port) as writer:
            await writer.create(5)
        log = await StoredLog.read(bridge.port)
        heard = [listener.heard for listener in storm]
        await all_reach(heard, log.head, DEADLINE)
    finally:
        await asyncio.gather(*(listener.drop() for listener in storm))
    log.check_frames(frames)
    log.check_heard(heard, is_task)
    say(f"{count} connects at once were served in {took:.2f} s; /health took at most {max(slowest) * 1_000:.0f} ms")
    assert took <= 5 * NOISE
    assert max(slowest) <= 0.2 * NOISE


LOW_LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from taskcopilot.cli import main
main()
"""
"""Runs the commands as a shell with a small limit of open files would."""


async def test_the_limit_of_open_files_of_a_shell_is_not_the_limit_of_clients(tmp_path: Path) -> None:
    """C1: only what the system forbids counts; shells start processes with less than that."""
    frames = Frames()
    with running_bridge(tmp_path, code=LOW_LIMIT) as bridge:
        async with crowd(bridge.port, 100, frames, lambda _: ["task:*"]) as listeners:
            async with Writer.connected(bridge.port) as writer:
                await writer.create(1)
            await all_reach([listener.heard for listener in listeners], 1, DEADLINE)


async def arrive(listener: Listener, port: int) -> int:
    """Connect and subscribe; return the status of the upgrade."""
    status = await listener.connect(port)
    if status == 101:
        await listener.subscribe(["task:*"])
    return status


async def asked(caller: Caller) -> float:
    """Return the seconds that /health took."""
    began = time.monotonic()
    assert (await caller.get("/health"))["ready"]
    return time.monotonic() - began


async def churn(port: int, numbers: Iterator[int], frames: Frames) -> None:
    """Connect, subscribe to something that nobody else has and to all tasks, and drop, for each number."""
    for number in numbers:
        listener = Listener(Heard(frames))
        async with asyncio.timeout(DEADLINE):
            assert await listener.connect(port) == 101
            await listener.subscribe([f"stream:{number}-*", "task:*"], since=0)
        await listener.drop()


async def churn_together(port: int, count: int) -> None:
    """Let twenty clients come and go at a time, until so many have been there."""
    numbers, frames = iter(range(count)), Frames()
    await asyncio.gather(*(churn(port, numbers, frames) for _ in range(20)))
    assert not frames.differing


@pytest.mark.timeout(180)
async def test_clients_that_come_and_go_leave_nothing_behind(
    bridge: Bridge, size: Callable[[Any, Any], Any], say: Callable[[str], None]
) -> None:
    """Descriptors and threads return to the start, and memory does not grow with those who left. They are cut off
    with a replay on its way; the first of them, which bring the process into use, do not count.
    """
    warm, count = size(200, 1_000), size(300, 5_000)
    async with Writer.connected(bridge.port) as writer:
        await writer.create(100)
        start = bridge.vitals()
        await churn_together(bridge.port, warm)
        await until(lambda: bridge.vitals().descriptors <= start.descriptors, "the number of descriptors at the start")
        before = bridge.vitals()
        await asyncio.gather(churn_together(bridge.port, count), writer.create_at(size(20, 200), 20))
        took = time.monotonic() - before.at
        await until(lambda: bridge.vitals().descriptors <= start.descriptors, "the number of descriptors at the start")
        after = bridge.vitals()
    say(
        f"{count} clients came and went in {took:.1f} s: RSS {before.rss:.1f} -> {after.rss:.1f} MiB, "
        f"{after.descriptors} descriptors, {after.threads} threads"
    )
    assert after.threads <= before.threads + 4  # a pool may still have been filling
    assert after.rss - before.rss <= 5


async def test_clients_that_come_and_go_are_forgotten_by_the_hub(
    tmp_path: Path, size: Callable[[Any, Any], Any]
) -> None:
    """Members, groups, patterns, sockets and tasks return to the start."""
    async with running_server(tmp_path) as server:
        hub, before = server.app[HUB], len(asyncio.all_tasks())
        for _ in range(100):
            await server.call("task_create", title="t")
        await churn_together(server.port, size(200, 2_000))
        await until(lambda: not server.app[SOCKETS], "an end of all sockets")
        await until(lambda: len(asyncio.all_tasks()) <= before, "the number of tasks at the start")
        now = hub.statistics()
        assert (now.members, now.live, now.catching_up, now.groups, now.patterns) == (0, 0, 0, 0, 0)
