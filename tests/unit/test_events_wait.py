"""events_wait: it answers when something happens, and misses nothing between two calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError, InvalidPatternError
from taskcopilot.store import event_log
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.lookout import REPORT_EVERY
from tests.helpers.bridge import Core, core
from tests.helpers.waiting import settle, until
from tests.helpers.work import new_task


def listeners(bridge: Core) -> int:
    """Return how many listen to the bus."""
    return len(bridge.bus.signal.receivers)


@contextlib.asynccontextmanager
async def waiting(bridge: Core, **arguments: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Call the tool, and go on when it waits."""
    before, sleeping = listeners(bridge), bridge.clock.sleepers
    call = asyncio.create_task(bridge.call("events_wait", **arguments))
    try:
        await until(lambda: call.done() or (listeners(bridge) > before and bridge.clock.sleepers > sleeping))
        await settle()
        yield call
    finally:
        call.cancel()
        await asyncio.wait({call})
        assert listeners(bridge) <= before


async def test_it_answers_as_soon_as_something_happens(tmp_path: Path) -> None:
    """With the event as it is in the log, and the cursor to go on with."""
    async with core(tmp_path) as bridge:
        await new_task(bridge, "before")
        async with waiting(bridge) as call:
            assert not call.done()
            task = await new_task(bridge, "after")
            answer = await call
        (event,) = answer["events"]
        assert (event["topic"], event["eventType"]) == (f"task:{task}", "task.created")
        assert event["data"]["taskTitle"] == "after"
        assert (event["seq"], event["timestamp"]) == (2, bridge.published[-1].at)
        assert answer["next"] == f"{bridge.recorder.epoch}:2"
        assert answer["timedOut"] is False
        assert "gap" not in answer


async def test_only_what_was_asked_for_ends_the_waiting(tmp_path: Path) -> None:
    """Topics and types are patterns; what happens elsewhere is passed over, and is not looked at again."""
    async with core(tmp_path) as bridge:
        task = await new_task(bridge)
        async with waiting(bridge, topics=[f"task:{task}", "stream:*"], eventTypes=["task.comp*", "none"]) as call:
            await new_task(bridge, metadata={"streamId": "S"})
            await bridge.call("task_update", id=task, status="in_progress")
            await settle()
            assert not call.done()
            await bridge.call("task_update", id=task, status="completed")
            answer = await call
        assert [event["eventType"] for event in answer["events"]] == ["task.completed"]
        assert answer["next"].endswith(f":{bridge.published[-1].seq}")


async def test_nothing_is_missed_between_two_calls(tmp_path: Path) -> None:
    """What happened since the last answer is there at once, oldest first, no more than `limit` of it."""
    async with core(tmp_path) as bridge:
        answer = await bridge.call("events_wait", wait=0)
        assert answer["events"] == []
        for number in range(5):
            await new_task(bridge, str(number))
        titles: list[str] = []
        while len(titles) < 5:
            answer = await bridge.call("events_wait", since=answer["next"], limit=2)
            titles += [event["data"]["taskTitle"] for event in answer["events"]]
            assert len(answer["events"]) <= 2
        assert titles == ["0", "1", "2", "3", "4"]


async def test_the_time_ends_the_waiting(tmp_path: Path) -> None:
    """An answer without events; its cursor is good for the next call."""
    async with core(tmp_path) as bridge:
        async with waiting(bridge, wait=12) as call:
            for _ in range(2):
                bridge.clock.advance(REPORT_EVERY)
                await settle()
                assert not call.done()
            bridge.clock.advance(2)
            answer = await call
        assert answer == {"events": [], "next": f"{bridge.recorder.epoch}:0", "timedOut": True}


async def test_it_says_now_and_then_that_it_waits(tmp_path: Path) -> None:
    """At the beginning and every few seconds: the seconds that passed, and of how many."""
    async with core(tmp_path) as bridge:
        reports: list[tuple[float, float]] = []

        async def report(passed: float, total: float) -> None:
            reports.append((passed, total))

        call = asyncio.create_task(bridge.toolbox.call("events_wait", {"wait": 12}, report))
        for number, step in enumerate((REPORT_EVERY, REPORT_EVERY, 2), 1):
            await until(lambda number=number: len(reports) == number and bridge.clock.sleepers)
            bridge.clock.advance(step)
        await call
        assert reports == [(0, 12), (5, 12), (10, 12)]


async def test_a_report_that_fails_ends_the_waiting(tmp_path: Path) -> None:
    """Whoever cannot be told does not wait for ever either."""
    async with core(tmp_path) as bridge:

        async def report(_passed: float, _total: float) -> None:
            raise ConnectionError("gone")

        answer = await bridge.toolbox.call("events_wait", {"wait": 600}, report)
        assert answer.model_dump()["timedOut"] is True


async def test_who_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    """No listener on the bus, no timer; and while it waits it holds no reader."""
    async with core(tmp_path) as bridge, contextlib.AsyncExitStack() as stack:
        calls = [await stack.enter_async_context(waiting(bridge, wait=600)) for _ in range(10)]
        assert await bridge.call("task_list") == []
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await until(lambda: not bridge.clock.sleepers)
        assert listeners(bridge) == 1


async def test_what_is_gone_is_said_at_once(tmp_path: Path) -> None:
    """A cursor that retention has overtaken, or of another log, gets the gap and not a long silence."""
    async with core(tmp_path) as bridge:
        for _ in range(3):
            await new_task(bridge)

        def prune(tx: Tx) -> None:
            event_log.prune(tx, 1, "")

        await bridge.recorder.record(prune)
        answer = await bridge.call("events_wait", since=0)
        assert answer["gap"] == {"from": 1, "to": 2}
        assert [event["seq"] for event in answer["events"]] == [3]
        answer = await bridge.call("events_wait", since="elsewhere:7")
        assert (answer["gap"], answer["events"]) == ({"from": 1, "to": 3}, [])
        assert answer["timedOut"] is False


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"topics": ["nonsense"]}, "topics"),
        ({"topics": []}, "topics"),
        ({"eventTypes": ["*********"]}, "eventTypes"),
        ({"since": "yesterday"}, "since"),
        ({"wait": 601}, "wait"),
        ({"limit": 0}, "limit"),
    ],
)
async def test_a_bad_argument_is_named(tmp_path: Path, arguments: dict[str, Any], field: str) -> None:
    """At once, and not after the time."""
    async with core(tmp_path) as bridge:
        with pytest.raises((InvalidArgumentError, InvalidPatternError)) as caught:
            await bridge.call("events_wait", **arguments)
        assert caught.value.field == field
