"""Idempotency keys: a call whose answer was lost can be repeated, and happens once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import ClaimedError, IdempotencyConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.fields import WriteInput
from taskcopilot.tools.table import REGISTRY
from tests.helpers.bridge import Core, core
from tests.helpers.work import new_task, rows


async def prepare(bridge: Core) -> dict[str, str]:
    """Create what the calls below refer to, and return the ids by name."""
    task = await new_task(bridge, assignedAgent="ta", metadata={"streamId": "S"})
    stored = await bridge.call("work_product_store", taskId=task, type="other", title="W", content="c")
    checkpoint = await bridge.call("checkpoint_create", taskId=task)
    return {"task": task, "product": stored["id"], "checkpoint": checkpoint["id"]}


CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "task_create": ({"title": "a"}, {"title": "b"}),
    "task_update": ({"id": "<task>", "status": "in_progress"}, {"id": "<task>", "status": "completed"}),
    "task_claim": ({"id": "<task>", "agent": "me"}, {"id": "<task>", "agent": "qa"}),
    "task_release": ({"id": "<task>", "agent": "me"}, {"id": "<task>", "agent": "qa"}),
    "checkpoint_create": ({"taskId": "<task>"}, {"taskId": "<task>", "trigger": "error"}),
    "checkpoint_resume": ({"taskId": "<task>"}, {"taskId": "<task>", "checkpointId": "<checkpoint>"}),
    "checkpoint_cleanup": ({"taskId": "<task>", "keepLatest": 0}, {}),
    "agent_heartbeat": ({"taskId": "<task>"}, {"taskId": "<task>", "phase": "two"}),
    "agent_handoff": (
        {
            "taskId": "<task>",
            "fromAgent": "ta",
            "toAgent": "me",
            "workProductId": "<product>",
            "handoffContext": "c",
            "chainPosition": 1,
            "chainLength": 1,
        },
        {
            "taskId": "<task>",
            "fromAgent": "ta",
            "toAgent": "qa",
            "workProductId": "<product>",
            "handoffContext": "c",
            "chainPosition": 1,
            "chainLength": 1,
        },
    ),
}
"""Tool -> its arguments, and others that it takes as well."""


def fill(arguments: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Put the ids in their places."""
    return {name: ids.get(value[1:-1], value) if isinstance(value, str) else value for name, value in arguments.items()}


@pytest.mark.parametrize("tool", CALLS)
async def test_a_repeated_call_answers_the_same_and_changes_nothing(tmp_path: Path, tool: str) -> None:
    """Promise H6: also after the bridge was started anew; with other arguments the key is refused."""
    async with core(tmp_path) as bridge:
        ids = await prepare(bridge)
        arguments, others = (fill(given, ids) for given in CALLS[tool])
        first = await bridge.call(tool, **arguments, idempotencyKey="k")
        logged = await rows(bridge, "SELECT * FROM events")
        bridge.forget()
        bridge.clock.advance(30)
        assert await bridge.call(tool, **arguments, idempotencyKey="k") == first
    async with core(tmp_path) as bridge:
        again = await bridge.call(tool, **arguments, idempotencyKey="k")
        assert (again, list(again)) == (first, list(first))
        with pytest.raises(IdempotencyConflictError) as caught:
            await bridge.call(tool, **others, idempotencyKey="k")
        assert (caught.value.code, caught.value.status, caught.value.field) == (
            "IDEMPOTENCY_CONFLICT",
            409,
            "idempotencyKey",
        )
        assert (bridge.events, await rows(bridge, "SELECT * FROM events")) == ([], logged)


async def test_a_key_belongs_to_one_tool(tmp_path: Path) -> None:
    """The same arguments for another tool are another call."""
    async with core(tmp_path) as bridge:
        task = await new_task(bridge)
        await bridge.call("task_claim", id=task, agent="me", idempotencyKey="k")
        with pytest.raises(IdempotencyConflictError, match="task_claim"):
            await bridge.call("task_release", id=task, agent="me", idempotencyKey="k")


async def test_the_order_of_names_does_not_matter(tmp_path: Path) -> None:
    """What was said twice in other words is still the same call; what was left out is not null."""
    async with core(tmp_path) as bridge:
        metadata = {"a": 1, "b": {"c": 2, "d": 3}}
        first = await bridge.call("task_create", title="t", metadata=metadata, idempotencyKey="k")
        turned = {"b": {"d": 3, "c": 2}, "a": 1}
        assert await bridge.call("task_create", metadata=turned, idempotencyKey="k", title="t") == first


async def test_a_call_that_fails_does_not_use_its_key_up(tmp_path: Path) -> None:
    """Not by its arguments, not by an unknown id, not by the state of things."""
    async with core(tmp_path) as bridge:
        task = await new_task(bridge)
        await bridge.call("task_claim", id=task, agent="qa", leaseSeconds=60)
        for arguments, error in (
            ({"id": task}, InvalidArgumentError),
            ({"id": "TASK-none", "agent": "me"}, NotFoundError),
            ({"id": task, "agent": "me"}, ClaimedError),
        ):
            with pytest.raises(error):
                await bridge.call("task_claim", **arguments, idempotencyKey="k")
        bridge.clock.advance(60)
        answer = await bridge.call("task_claim", id=task, agent="me", idempotencyKey="k")
        assert (answer["agent"], answer["renewed"]) == ("me", False)


async def test_of_many_equal_calls_at_once_one_happens(tmp_path: Path) -> None:
    """Also over two cores on one file: all get the one answer."""
    async with core(tmp_path) as first, core(tmp_path) as second:
        calls = [
            bridge.call("task_create", title="t", idempotencyKey="k") for _ in range(25) for bridge in (first, second)
        ]
        answers = await asyncio.gather(*calls)
        assert len({answer["id"] for answer in answers}) == 1
        assert await rows(first, "SELECT count(*) FROM tasks") == [(1,)]
        assert await rows(first, "SELECT count(*) FROM events") == [(1,)]


async def test_calls_without_a_key_are_all_different(tmp_path: Path) -> None:
    """Saying the same twice means it twice."""
    async with core(tmp_path) as bridge:
        assert await new_task(bridge) != await new_task(bridge)
        assert await rows(bridge, "SELECT * FROM idempotency_keys") == []


@pytest.mark.parametrize("key", ["", "k" * 201, 5])
async def test_a_bad_key_is_refused(tmp_path: Path, key: object) -> None:
    """It is text of 1 to 200 characters."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as caught:
            await bridge.call("task_create", title="t", idempotencyKey=key)
        assert (caught.value.field, await bridge.call("task_list")) == ("idempotencyKey", [])


def test_every_tool_that_writes_takes_a_key() -> None:
    """And no tool that only reads pretends to."""
    for tool in REGISTRY:
        assert issubclass(tool.input, WriteInput) is tool.writes, tool.name
