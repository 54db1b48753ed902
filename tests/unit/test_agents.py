"""Agents: their handoffs and their heartbeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import BridgeError, ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.views.activity import list_activity
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, execute, new_task, rows

NOW = "2026-01-08T12:00:00.000Z"


async def product(bridge: Core, task: str) -> str:
    """Store a work product and return its id."""
    stored = await bridge.call("work_product_store", taskId=task, type="other", title="W", content="c")
    return str(stored["id"])


async def handoff(bridge: Core, task: str, work_product: str, **more: Any) -> dict[str, Any]:
    """Hand a task from ta to me, at the first of two places, unless told otherwise."""
    arguments = {
        "taskId": task,
        "fromAgent": "ta",
        "toAgent": "me",
        "workProductId": work_product,
        "handoffContext": "build it",
        "chainPosition": 1,
        "chainLength": 2,
    }
    return dict(await bridge.call("agent_handoff", **arguments | more))


class TestHandoff:
    async def test_the_answer_and_the_event_have_the_keys_of_the_contract(self, tmp_path: Path) -> None:
        """The original declared the event and never sent it."""
        async with core(tmp_path) as bridge:
            await bridge.call("initiative_link", initiativeId="I", title="t")
            prd = (await bridge.call("prd_create", title="Tidy", content="c"))["id"]
            task = await new_task(bridge, prdId=prd)
            work = await product(bridge, task)
            bridge.forget()
            answer = await handoff(bridge, task, work)
            assert answer["id"].startswith("HO-")
            assert list(answer.items()) == [
                ("id", answer["id"]),
                ("taskId", task),
                ("fromAgent", "ta"),
                ("toAgent", "me"),
                ("chainPosition", 1),
                ("chainLength", 2),
                ("createdAt", NOW),
            ]
            ((topic, kind, data),) = bridge.events
            assert (topic, kind) == ("agent:ta", "agent.handoff")
            assert list(data.items()) == [
                ("handoffId", answer["id"]),
                ("taskId", task),
                ("fromAgent", "ta"),
                ("toAgent", "me"),
                ("chainPosition", 1),
                ("chainLength", 2),
                ("handoffContext", "build it"),
                ("workProductId", work),
                ("handoffAt", NOW),
            ]
            assert ("agent_handoff", answer["id"], "agent_handoff") in [row[:3] for row in await diary(bridge, "I")]

    @pytest.mark.parametrize("context", ["", "x" * 50, "😀" * 25, "é" * 50])
    async def test_a_context_of_fifty_characters_is_taken(self, tmp_path: Path, context: str) -> None:
        """Counted in UTF-16 units, as the original counts."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await handoff(bridge, task, await product(bridge, task), handoffContext=context)
            chain = await bridge.call("agent_chain_get", taskId=task)
            assert chain["handoffs"][0]["handoffContext"] == context

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"handoffContext": "x" * 51}, InvalidArgumentError, "handoffContext"),
            ({"handoffContext": "😀" * 25 + "x"}, InvalidArgumentError, "handoffContext"),
            ({"chainPosition": 0}, InvalidArgumentError, "chainPosition"),
            ({"chainPosition": 3}, InvalidArgumentError, "chainPosition"),
            ({"chainPosition": 1, "chainLength": 0}, InvalidArgumentError, "chainPosition"),
            ({"chainPosition": "1"}, InvalidArgumentError, "chainPosition"),
            ({"workProductId": "WP-none"}, NotFoundError, "workProductId"),
            ({"taskId": "TASK-none"}, NotFoundError, "taskId"),
            ({"toAgent": ""}, InvalidArgumentError, "toAgent"),
            ({"handoffContext": "x" * 51, "chainPosition": 0}, InvalidArgumentError, "handoffContext"),
            ({"chainPosition": 0, "workProductId": "WP-none"}, InvalidArgumentError, "chainPosition"),
            ({"workProductId": "WP-none", "taskId": "TASK-none"}, NotFoundError, "workProductId"),
        ],
    )
    async def test_what_is_refused_changes_nothing_and_names_its_field(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Checked in the order of the original: context, place, work product, task."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            work = await product(bridge, task)
            bridge.forget()
            with pytest.raises(error) as caught:
                await handoff(bridge, task, work, **arguments)
            assert caught.value.field == field
            assert (bridge.events, await rows(bridge, "SELECT * FROM agent_handoffs")) == ([], [])


class TestChain:
    async def test_a_chain_is_read_in_the_order_of_its_places(self, tmp_path: Path) -> None:
        """With the work products, and the first agent that handed each on."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            handed, kept = await product(bridge, task), await product(bridge, task)
            second = await handoff(bridge, task, handed, fromAgent="me", toAgent="qa", chainPosition=2, chainLength=3)
            first = await handoff(bridge, task, handed, chainLength=3)
            chain = await bridge.call("agent_chain_get", taskId=task)
            assert list(chain) == ["taskId", "chainLength", "handoffs", "workProducts"]
            assert (chain["taskId"], chain["chainLength"]) == (task, 3)
            assert [link["id"] for link in chain["handoffs"]] == [first["id"], second["id"]]
            assert list(chain["handoffs"][0].items()) == [
                ("id", first["id"]),
                ("fromAgent", "ta"),
                ("toAgent", "me"),
                ("workProductId", handed),
                ("handoffContext", "build it"),
                ("chainPosition", 1),
                ("chainLength", 3),
                ("createdAt", NOW),
            ]
            assert {item["id"]: item["agent"] for item in chain["workProducts"]} == {handed: "ta", kept: "unknown"}
            assert list(chain["workProducts"][0]) == ["id", "type", "title", "agent"]

    async def test_a_task_that_nobody_handed_on_has_a_chain_of_one(self, tmp_path: Path) -> None:
        """An unknown task has none."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            assert await bridge.call("agent_chain_get", taskId=task) == {
                "taskId": task,
                "chainLength": 1,
                "handoffs": [],
                "workProducts": [],
            }
            with pytest.raises(NotFoundError) as caught:
                await bridge.call("agent_chain_get", taskId="TASK-none")
            assert caught.value.field == "taskId"


class TestHeartbeat:
    async def test_a_heartbeat_is_told_and_keeps_the_agent_active(self, tmp_path: Path) -> None:
        """It moves the heartbeat, not the start, and keeps what it does not mention."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "T", assignedAgent="me", metadata={"streamId": "S", "phase": "one"})
            await bridge.call("task_update", id=task, status="in_progress")
            bridge.forget()
            bridge.clock.advance(290)
            answer = await bridge.call("agent_heartbeat", taskId=task, activityDescription="testing")
            at = "2026-01-08T12:04:50.000Z"
            assert list(answer.items()) == [
                ("taskId", task),
                ("agentId", "me"),
                ("streamId", "S"),
                ("lastHeartbeat", at),
            ]
            ((topic, kind, data),) = bridge.events
            assert (topic, kind) == ("agent:me", "agent.heartbeat")
            assert list(data.items()) == [
                ("streamId", "S"),
                ("agentId", "me"),
                ("taskId", task),
                ("lastHeartbeat", at),
            ]
            bridge.clock.advance(290)
            (shown,) = (await bridge.database.read(list_activity)).activities
            assert (shown.started_at, shown.last_heartbeat, shown.is_active) == (NOW, at, True)
            assert (shown.activity_description, shown.phase) == ("testing", "one")

    async def test_another_agents_heartbeat_makes_the_work_its_own(self, tmp_path: Path) -> None:
        """From that moment; whom the task is assigned to does not change."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            await bridge.call("task_update", id=task, status="in_progress")
            bridge.clock.advance(1)
            answer = await bridge.call("agent_heartbeat", taskId=task, agent="qa", phase="two")
            assert (answer["agentId"], answer["streamId"]) == ("qa", "default")
            assert await rows(bridge, "SELECT agent_id, phase, started_at FROM agent_activity") == [
                ("qa", "two", "2026-01-08T12:00:01.000Z")
            ]
            bridge.clock.advance(2)
            bridge.forget()
            await bridge.call("task_update", id=task, status="completed")
            (completed,) = [data for _, kind, data in bridge.events if kind == "agent.completed"]
            assert (completed["agentId"], completed["duration"]) == ("qa", 2_000)
            assert (await bridge.call("task_get", id=task))["assignedAgent"] == "me"

    async def test_a_heartbeat_does_not_extend_a_claim(self, tmp_path: Path) -> None:
        """Claiming again does."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await bridge.call("task_claim", id=task, agent="me", leaseSeconds=10)
            before = await rows(bridge, "SELECT * FROM task_claims")
            bridge.clock.advance(5)
            await bridge.call("agent_heartbeat", taskId=task)
            assert await rows(bridge, "SELECT * FROM task_claims") == before

    @pytest.mark.parametrize("state", ["completed", "cancelled", "archived"])
    async def test_nobody_is_at_work_on_a_task_that_is_over(self, tmp_path: Path, state: str) -> None:
        """Completed, cancelled or archived: a conflict that says so."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            if state == "archived":
                await execute(bridge, "UPDATE tasks SET archived = 1")
            else:
                await bridge.call("task_update", id=task, status=state)
            bridge.forget()
            with pytest.raises(ConflictError, match=state):
                await bridge.call("agent_heartbeat", taskId=task)
            assert (bridge.events, await rows(bridge, "SELECT * FROM agent_activity")) == ([], [])

    async def test_without_an_agent_or_a_task_it_names_the_field(self, tmp_path: Path) -> None:
        """An unassigned task needs the agent's name."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            for arguments, error, field in (
                ({"taskId": task}, InvalidArgumentError, "agent"),
                ({"taskId": task, "agent": ""}, InvalidArgumentError, "agent"),
                ({"taskId": "TASK-none"}, NotFoundError, "taskId"),
            ):
                with pytest.raises(error) as caught:
                    await bridge.call("agent_heartbeat", **arguments)
                assert caught.value.field == field
