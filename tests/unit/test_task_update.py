"""task_update: what it changes, what follows from it, and which events tell of it, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import BridgeError, ConflictError, InvalidArgumentError, NotFoundError
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, execute, new_task, rows

STREAM: dict[str, Any] = {"metadata": {"streamId": "S"}}
MINE: dict[str, Any] = {**STREAM, "assignedAgent": "me"}

STARTED = ["task.updated", "task.status_changed", "agent.started", "stream.started", "stream.progress"]
BLOCKED = ["task.updated", "task.status_changed", "task.blocked", "stream.progress", "stream.blocked"]


async def update(bridge: Core, task: str, **arguments: Any) -> dict[str, Any]:
    """Update a task and return the answer; `bridge.events` then holds the events of this call only."""
    bridge.forget()
    return dict(await bridge.call("task_update", id=task, **arguments))


async def data(bridge: Core, kind: str, **arguments: Any) -> dict[str, Any]:
    """Update a task and return the payload of the one event of a type."""
    await update(bridge, **arguments)
    (found,) = [data for _, type_, data in bridge.events if type_ == kind]
    return found


async def world(bridge: Core) -> list[Any]:
    """Return every row that an update may touch."""
    tables = ("tasks", "activity_log", "agent_performance", "agent_activity", "checkpoints", "task_claims", "events")
    return [await rows(bridge, f"SELECT * FROM {table} ORDER BY 1") for table in tables]  # noqa: S608


class TestOrder:
    @pytest.mark.parametrize(
        ("task", "path", "expected"),
        [
            pytest.param(STREAM, ["in_progress"], [*STARTED[:2], *STARTED[3:]], id="started by nobody"),
            pytest.param(MINE, ["in_progress"], STARTED, id="started"),
            pytest.param({"assignedAgent": "me"}, ["in_progress"], STARTED[:3], id="started outside of streams"),
            pytest.param(
                MINE, ["in_progress", "pending", "in_progress"], [*STARTED[:3], STARTED[4]], id="started again"
            ),
            pytest.param(STREAM, ["blocked"], BLOCKED, id="blocked"),
            pytest.param({}, ["blocked"], BLOCKED[:3], id="blocked outside of streams"),
            pytest.param(
                MINE,
                ["in_progress", "completed"],
                [
                    *("task.updated", "task.status_changed", "task.completed", "agent.completed"),
                    *("stream.progress", "stream.completed"),
                ],
                id="completed",
            ),
            pytest.param(
                STREAM,
                ["completed"],
                ["task.updated", "task.status_changed", "task.completed", "stream.progress", "stream.completed"],
                id="completed by nobody",
            ),
            pytest.param(
                MINE,
                ["in_progress", "pending"],
                ["task.updated", "task.status_changed", "stream.progress"],
                id="put off",
            ),
            pytest.param(
                MINE,
                ["in_progress", "cancelled"],
                ["task.updated", "task.status_changed", "stream.progress"],
                id="cancelled",
            ),
            pytest.param(STREAM, ["blocked", "blocked"], ["task.updated"], id="the same status"),
            pytest.param(STREAM, ["pending"], ["task.updated"], id="still pending"),
        ],
    )
    async def test_the_events_of_a_status_come_in_the_order_of_the_contract(
        self, tmp_path: Path, task: dict[str, Any], path: list[str], expected: list[str]
    ) -> None:
        """Section 3.2 with the corrections: whoever depends on the order of the original finds it."""
        async with core(tmp_path) as bridge:
            task_id = await new_task(bridge, **task)
            for status in path:
                await update(bridge, task_id, status=status)
            assert bridge.types == expected

    @pytest.mark.parametrize(
        ("sibling", "status", "expected"),
        [
            ("blocked", "in_progress", ["stream.progress", "stream.blocked"]),
            ("blocked", "completed", ["stream.progress", "stream.blocked"]),
            ("blocked", "cancelled", ["stream.progress", "stream.blocked"]),
            ("completed", "cancelled", ["stream.progress", "stream.completed"]),
            ("cancelled", "completed", ["stream.progress", "stream.completed"]),
            ("pending", "completed", ["stream.progress"]),
        ],
    )
    async def test_the_stream_is_reported_with_what_its_other_tasks_are(
        self, tmp_path: Path, sibling: str, status: str, expected: list[str]
    ) -> None:
        """Completed and blocked exclude each other; a cancelled task keeps nothing from completing."""
        async with core(tmp_path) as bridge:
            other, task = await new_task(bridge, **STREAM), await new_task(bridge, **STREAM)
            await update(bridge, other, status="in_progress")
            await update(bridge, other, status=sibling)
            await update(bridge, task, status=status)
            assert [kind for kind in bridge.types if kind.startswith("stream.")] == expected

    async def test_events_without_a_change_of_status_are_one(self, tmp_path: Path) -> None:
        """Every update that succeeds is reported, also one that changes nothing at all."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, **STREAM)
            for arguments in ({}, {"notes": "n"}, {"notes": "n"}, {"metadata": {"x": 1}}, {"assignedAgent": "me"}):
                await update(bridge, task, **arguments)
                assert bridge.types == ["task.updated"]

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"id": "TASK-none", "status": "completed"}, NotFoundError, "id"),
            ({"status": "done"}, InvalidArgumentError, "status"),
            ({"status": 1}, InvalidArgumentError, "status"),
            ({"priority": 1}, InvalidArgumentError, "priority"),
            ({"title": "t"}, InvalidArgumentError, "title"),
            ({"assigned_agent": "me"}, InvalidArgumentError, "assigned_agent"),
            ({"assignedAgent": ""}, InvalidArgumentError, "assignedAgent"),
            ({"assignedAgent": "a\nb"}, InvalidArgumentError, "assignedAgent"),
            ({"metadata": []}, InvalidArgumentError, "metadata"),
            ({"metadata": {"streamId": 5}}, InvalidArgumentError, "metadata.streamId"),
            ({"metadata": {"streamId": ""}}, InvalidArgumentError, "metadata.streamId"),
            ({"metadata": {"streamDependencies": "S"}}, InvalidArgumentError, "metadata.streamDependencies"),
            ({"metadata": {"streamDependencies": ["S"]}}, InvalidArgumentError, "metadata.streamDependencies"),
        ],
    )
    async def test_what_is_refused_changes_nothing_and_names_its_field(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Promise D6: a failing call delivers nothing; and it writes nothing."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, **MINE)
            bridge.forget()
            before = await world(bridge)
            with pytest.raises(error) as caught:
                await bridge.call("task_update", **{"id": task, "status": "in_progress"} | arguments)
            assert caught.value.field == field
            assert (bridge.events, await world(bridge)) == ([], before)

    async def test_an_archived_task_is_refused_and_says_who_archived_it(self, tmp_path: Path) -> None:
        """It has to be unarchived first, whatever the change."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, **STREAM)
            await execute(bridge, "UPDATE tasks SET archived = 1, archived_by_initiative_id = 'INIT-2'")
            before = await world(bridge)
            with pytest.raises(ConflictError, match=r"stream S, by initiative INIT-2.*stream_unarchive"):
                await update(bridge, task, notes="n")
            assert (bridge.events, await world(bridge)) == ([], before)


class TestPayloads:
    async def test_the_answer_and_the_event_carry_the_time_of_the_row(self, tmp_path: Path) -> None:
        """In the original the three differed by some milliseconds."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            bridge.clock.advance(1)
            answer = await update(bridge, task, status="cancelled")
            assert list(answer.items()) == [
                ("id", task),
                ("status", "cancelled"),
                ("updatedAt", "2026-01-08T12:00:01.000Z"),
            ]
            assert await rows(bridge, "SELECT updated_at FROM tasks") == [(answer["updatedAt"],)]
            assert bridge.events[0][2]["updatedAt"] == answer["updatedAt"]

    async def test_changes_list_the_four_fields_that_differ_in_their_order(self, tmp_path: Path) -> None:
        """What is as it was is not listed, and metadata never."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "Title", assignedAgent="me", **STREAM)
            payload = await data(
                bridge,
                "task.updated",
                task=task,
                blockedReason="r",
                metadata={"x": 1},
                notes="n",
                assignedAgent="qa",
                status="blocked",
            )
            assert bridge.events[0][0] == f"task:{task}"
            assert list(payload.items()) == [
                ("taskId", task),
                ("taskTitle", "Title"),
                ("status", "blocked"),
                ("assignedAgent", "qa"),
                ("streamId", "S"),
                (
                    "changes",
                    [
                        {"field": "status", "oldValue": "pending", "newValue": "blocked"},
                        {"field": "assignedAgent", "oldValue": "me", "newValue": "qa"},
                        {"field": "notes", "oldValue": None, "newValue": "n"},
                        {"field": "blockedReason", "oldValue": None, "newValue": "r"},
                    ],
                ),
                ("updatedAt", bridge.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")),
            ]
            assert (await data(bridge, "task.updated", task=task, notes="n", assignedAgent="qa"))["changes"] == []

    async def test_a_reason_is_told_when_given_when_stored_and_as_unknown(self, tmp_path: Path) -> None:
        """task.status_changed and task.blocked say the same."""
        async with core(tmp_path) as bridge:
            given, stored, unknown = [await new_task(bridge, **STREAM) for _ in range(3)]
            await update(bridge, stored, blockedReason="from before")
            for task, arguments, reason in (
                (given, {"blockedReason": "now"}, "now"),
                (stored, {}, "from before"),
                (unknown, {}, "Unknown"),
            ):
                await update(bridge, task, status="blocked", **arguments)
                (_, changed, blocked, *_) = [payload for _, _, payload in bridge.events]
                assert (changed["blockedReason"], changed["streamId"], blocked["blockedReason"]) == (
                    reason,
                    "S",
                    reason,
                )
            assert bridge.events[-1][2]["blockedReason"] == "3 task(s) blocked"
            assert sorted(bridge.events[-1][2]["blockedTaskIds"]) == sorted([given, stored, unknown])

    async def test_the_reason_is_cleared_on_unblock_and_the_event_says_so(self, tmp_path: Path) -> None:
        """The original kept it for good."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await update(bridge, task, status="blocked", blockedReason="r")
            await update(bridge, task, notes="still")
            assert (await bridge.call("task_get", id=task))["blockedReason"] == "r"
            payload = await data(bridge, "task.updated", task=task, status="in_progress")
            assert payload["changes"][1] == {"field": "blockedReason", "oldValue": "r", "newValue": None}
            assert "blockedReason" not in await bridge.call("task_get", id=task)
            assert "blockedReason" not in bridge.events[1][2]

    async def test_durations_count_from_the_start_of_the_work(self, tmp_path: Path) -> None:
        """In milliseconds, over blocks; a task that nobody started has none."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge, **MINE), await new_task(bridge, **STREAM)
            await update(bridge, task, status="in_progress")
            bridge.clock.advance(1.5)
            await update(bridge, task, status="blocked")
            bridge.clock.advance(1)
            await update(bridge, task, status="in_progress")
            bridge.clock.advance(0.25)
            await update(bridge, task, status="completed")
            told = {kind: payload for _, kind, payload in bridge.events}
            assert (told["task.completed"]["duration"], told["agent.completed"]["duration"]) == (2_750, 2_750)
            await update(bridge, other, status="completed")
            told = {kind: payload for _, kind, payload in bridge.events}
            assert "duration" not in told["task.completed"]
            assert told["stream.completed"]["duration"] == 2_750

    async def test_the_agent_events_name_agent_stream_and_task(self, tmp_path: Path) -> None:
        """With the stream `default` outside of streams, and the phase that the metadata name."""
        async with core(tmp_path) as bridge:
            task = await new_task(
                bridge, "T", assignedAgent="qa", metadata={"streamId": "S", "streamName": "Tests", "phase": "two"}
            )
            started = await data(bridge, "agent.started", task=task, status="in_progress")
            assert list(started.items()) == [
                ("streamId", "S"),
                ("streamName", "Tests"),
                ("agentId", "qa"),
                ("agentName", "QA Engineer"),
                ("taskId", task),
                ("taskTitle", "T"),
                ("activityDescription", "T"),
                ("phase", "two"),
                ("startedAt", "2026-01-08T12:00:00.000Z"),
            ]
            completed = await data(bridge, "agent.completed", task=task, status="completed")
            assert list(completed) == ["streamId", "agentId", "taskId", "completedAt", "duration"]
            alone = await new_task(bridge, assignedAgent="someone")
            started = await data(bridge, "agent.started", task=alone, status="in_progress")
            assert (started["streamId"], started["streamName"]) == ("default", "default")
            assert (started["agentName"], "phase" in started) == ("someone", False)


class TestMetadata:
    async def test_it_is_merged_key_by_key(self, tmp_path: Path) -> None:
        """A null stays a null, and an object replaces an object."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, metadata={"a": {"x": 1}, "b": 2, "c": 3})
            await update(bridge, task, metadata={"a": {"y": 2}, "b": None})
            await update(bridge, task, metadata={})
            assert (await bridge.call("task_get", id=task))["metadata"] == {
                "a": {"y": 2},
                "b": None,
                "c": 3,
                "activationMode": None,
            }

    async def test_a_move_reports_the_old_stream_and_then_the_new_one(self, tmp_path: Path) -> None:
        """Also without a change of status; the original told nobody."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, **STREAM)
            for target, expected in (("B", ["stream:S", "stream:B"]), (None, ["stream:B"]), ("S", ["stream:S"])):
                await update(bridge, task, metadata={"streamId": target})
                assert bridge.types == ["task.updated", *["stream.progress"] * len(expected)]
                assert [topic for topic, _, _ in bridge.events[1:]] == expected
            await update(bridge, task, metadata={"streamId": "B"}, status="blocked")
            assert [topic for topic, _, _ in bridge.events[-3:]] == ["stream:S", "stream:B", "stream:B"]

    async def test_the_work_on_a_task_moves_along_and_starts_its_new_stream(self, tmp_path: Path) -> None:
        """Whoever looks at the new stream sees the agent at work."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, **MINE)
            await update(bridge, task, status="in_progress")
            await update(bridge, task, metadata={"streamId": "B"})
            assert [(kind, topic) for topic, kind, _ in bridge.events[1:]] == [
                ("stream.started", "stream:B"),
                ("stream.progress", "stream:S"),
                ("stream.progress", "stream:B"),
            ]
            assert (await data(bridge, "agent.completed", task=task, status="completed"))["streamId"] == "B"

    async def test_dependencies_that_would_close_a_circle_are_refused(self, tmp_path: Path) -> None:
        """Directly, over others, and by moving into a stream that is waited for."""
        async with core(tmp_path) as bridge:
            a, b, c = [await new_task(bridge, metadata={"streamId": stream}) for stream in "ABC"]
            await update(bridge, b, metadata={"streamDependencies": ["A"]})
            await update(bridge, c, metadata={"streamDependencies": ["B"]})
            with pytest.raises(InvalidArgumentError, match="A -> C -> B -> A"):
                await update(bridge, a, metadata={"streamDependencies": ["C"]})
            with pytest.raises(InvalidArgumentError, match="circular"):
                await update(bridge, c, metadata={"streamId": "A"})
            await update(bridge, a, metadata={"streamDependencies": []})

    async def test_what_a_task_itself_declared_before_is_no_part_of_the_circle(self, tmp_path: Path) -> None:
        """A stream of one task may turn its direction round in one call."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, metadata={"streamId": "A", "streamDependencies": ["B"]})
            await update(bridge, task, metadata={"streamId": "B", "streamDependencies": ["A"]})
            assert (await bridge.call("task_get", id=task))["metadata"]["streamId"] == "B"

    async def test_a_commit_is_suggested_once_the_task_that_wants_it_is_completed(self, tmp_path: Path) -> None:
        """Only on the change to completed, and only for true."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "Add it", metadata={"autoCommitOnComplete": True})
            assert "autoCommitRequested" not in await update(bridge, task, status="in_progress")
            answer = await update(bridge, task, status="completed")
            assert list(answer) == ["id", "status", "updatedAt", "autoCommitRequested", "suggestedCommitMessage"]
            assert (answer["autoCommitRequested"], answer["suggestedCommitMessage"]) == (True, f"feat({task}): Add it")
            assert "autoCommitRequested" not in await update(bridge, task, status="completed")
            other = await new_task(bridge, metadata={"autoCommitOnComplete": "yes"})
            assert "autoCommitRequested" not in await update(bridge, other, status="completed")

    async def test_too_many_subtasks_for_the_lightest_mode_are_warned_of(self, tmp_path: Path) -> None:
        """When the metadata are touched, as in the original."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            for _ in range(4):
                await new_task(bridge, parentId=task)
            answer = await update(bridge, task, metadata={"activationMode": "ultrawork"})
            assert "4 subtasks" in answer["activationModeWarning"]
            assert "activationModeWarning" not in await update(bridge, task, notes="n")


class TestWhatFollows:
    async def test_the_diary_of_the_initiative_tells_of_every_change_of_status(self, tmp_path: Path) -> None:
        """And of nothing else."""
        async with core(tmp_path) as bridge:
            await bridge.call("initiative_link", initiativeId="I", title="t")
            prd = (await bridge.call("prd_create", title="Tidy", content="c"))["id"]
            task = await new_task(bridge, "T", prdId=prd)
            before = len(await diary(bridge, "I"))
            for arguments in ({"status": "in_progress"}, {"notes": "n"}, {"status": "completed"}):
                bridge.clock.advance(1)
                await update(bridge, task, **arguments)
            assert (await diary(bridge, "I"))[before:] == [
                ("task_updated", task, "task", "T: pending -> in_progress"),
                ("task_completed", task, "task", "Completed: T"),
            ]

    @pytest.mark.parametrize(
        ("status", "outcome"), [("completed", "success"), ("blocked", "blocked"), ("cancelled", "failure")]
    )
    async def test_the_agent_that_had_the_task_is_credited(self, tmp_path: Path, status: str, outcome: str) -> None:
        """With the outcome, and with losing the task; nobody gets nothing."""
        async with core(tmp_path) as bridge:
            metadata = {"workProductType": "other", "complexity": "Low"}
            task = await new_task(bridge, assignedAgent="me", metadata=metadata)
            await update(bridge, task, status="in_progress")
            await update(bridge, task, status=status, assignedAgent="qa")
            await update(bridge, await new_task(bridge), status=status, assignedAgent="qa")
            credited = "SELECT agent_id, task_id, work_product_type, complexity, outcome FROM agent_performance"
            assert sorted(await rows(bridge, credited)) == sorted(
                [("me", task, "other", "Low", "reassigned"), ("me", task, "other", "Low", outcome)]
            )

    @pytest.mark.parametrize("end", ["completed", "cancelled", "pending"])
    async def test_the_activity_lasts_as_long_as_the_work(self, tmp_path: Path, end: str) -> None:
        """It goes on over a block, ends with the work, and begins anew when the task is taken up again."""
        seen = "SELECT started_at, last_heartbeat, completed_at FROM agent_activity"
        at = "2026-01-08T12:00:0{}.000Z".format
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            for status, expected in (
                ("in_progress", (at(1), at(1), None)),
                ("blocked", (at(1), at(1), None)),
                ("in_progress", (at(1), at(3), None)),
                (end, (at(1), at(3), at(4))),
                ("in_progress", (at(5), at(5), None)),
            ):
                bridge.clock.advance(1)
                await update(bridge, task, status=status)
                assert await rows(bridge, seen) == [expected]

    async def test_a_completed_task_that_had_been_put_off_has_no_work_to_end(self, tmp_path: Path) -> None:
        """Its activity ended before, so there is no duration and no agent.completed."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            for status in ("in_progress", "pending", "completed"):
                await update(bridge, task, status=status)
            assert bridge.types == ["task.updated", "task.status_changed", "task.completed"]
            assert "duration" not in bridge.events[-1][2]

    async def test_starting_and_blocking_save_the_task_as_it_was(self, tmp_path: Path) -> None:
        """For a day, silently, with the new reason; other changes save nothing."""
        saved = (
            "SELECT sequence, trigger, task_status, task_notes, blocked_reason, assigned_agent, created_at, expires_at "
            "FROM checkpoints ORDER BY sequence"
        )
        now, later = "2026-01-08T12:00:00.000Z", "2026-01-09T12:00:00.000Z"
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            await update(bridge, task, status="in_progress", notes="new")
            await update(bridge, task, status="blocked", blockedReason="r", assignedAgent="qa")
            await update(bridge, task, status="blocked", blockedReason="again")
            await update(bridge, task, status="completed")
            assert await rows(bridge, saved) == [
                (1, "auto_status", "pending", None, None, "me", now, later),
                (2, "auto_status", "in_progress", "new", "r", "me", now, later),
            ]
            for _ in range(3):
                for status in ("in_progress", "blocked"):
                    await update(bridge, task, status=status)
                    assert not any(kind.startswith("checkpoint.") for kind in bridge.types)
            assert [row[0] for row in await rows(bridge, saved)] == [4, 5, 6, 7, 8]
