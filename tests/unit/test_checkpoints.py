"""Checkpoints: what they keep, how long, how many, and what an agent gets back from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.clock import iso
from taskcopilot.errors import BridgeError, ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.tools.expiry import expire_checkpoints
from taskcopilot.tools.views.checkpoints import latest_checkpoint
from tests.helpers.bridge import Core, core
from tests.helpers.rows import checkpoint, put
from tests.helpers.work import execute, new_task, rows

HOUR, DAY = 3_600, 86_400
NOW = "2026-01-08T12:00:00.000Z"


async def save(bridge: Core, task: str, **arguments: Any) -> dict[str, Any]:
    """Create a checkpoint and return the answer."""
    return dict(await bridge.call("checkpoint_create", taskId=task, **arguments))


async def kept(bridge: Core, task: str | None = None) -> list[int]:
    """Return the sequences of the checkpoints of a task, or of all."""
    condition, values = ("WHERE task_id = ?", (task,)) if task else ("", ())
    found = await rows(bridge, f"SELECT sequence FROM checkpoints {condition} ORDER BY sequence", *values)  # noqa: S608
    return [sequence for (sequence,) in found]


class TestCreate:
    async def test_the_answer_and_the_event_have_the_keys_of_the_contract(self, tmp_path: Path) -> None:
        """In their order; what was not given is absent from the event."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "T")
            bridge.forget()
            answer = await save(bridge, task, executionPhase="build", executionStep=0, draftContent="d")
            assert list(answer.items()) == [
                ("id", answer["id"]),
                ("taskId", task),
                ("sequence", 1),
                ("trigger", "manual"),
                ("createdAt", NOW),
                ("expiresAt", "2026-01-15T12:00:00.000Z"),
            ]
            assert answer["id"].startswith("CP-")
            ((topic, kind, data),) = bridge.events
            assert (topic, kind) == (f"checkpoint:{task}", "checkpoint.created")
            assert list(data.items()) == [
                ("checkpointId", answer["id"]),
                ("taskId", task),
                ("taskTitle", "T"),
                ("sequence", 1),
                ("trigger", "manual"),
                ("executionPhase", "build"),
                ("executionStep", 0),
                ("hasDraft", True),
                ("expiresAt", "2026-01-15T12:00:00.000Z"),
                ("createdAt", NOW),
            ]
            await save(bridge, task)
            data = bridge.events[-1][2]
            assert ("executionPhase" in data, "executionStep" in data, data["hasDraft"]) == (False, False, False)

    @pytest.mark.parametrize(
        ("arguments", "seconds"),
        [
            ({}, 7 * DAY),
            ({"trigger": "manual"}, 7 * DAY),
            *(({"trigger": trigger}, DAY) for trigger in ("auto_status", "auto_subtask", "error", "auto_recovery")),
            ({"expiresIn": 1}, 60),
            ({"trigger": "error", "expiresIn": 90}, 90 * 60),
        ],
    )
    async def test_it_lasts_a_week_by_hand_and_a_day_otherwise(
        self, tmp_path: Path, arguments: dict[str, Any], seconds: int
    ) -> None:
        """Unless the minutes are given."""
        async with core(tmp_path) as bridge:
            answer = await save(bridge, await new_task(bridge), **arguments)
            bridge.clock.advance(seconds)
            assert answer["expiresAt"] == iso(bridge.clock.now())

    @pytest.mark.parametrize(
        ("draft", "stored"),
        [
            ("x" * 51_200, "x" * 51_200),
            ("x" * 51_201, "x" * 51_200 + "\n\n[TRUNCATED]"),
            ("😀" * 25_600, "😀" * 25_600),
            ("😀" * 25_601, "😀" * 25_600 + "\n\n[TRUNCATED]"),
            ("x" + "😀" * 25_600, "x" + "😀" * 25_599 + "\n\n[TRUNCATED]"),
            ("é" * 51_200, "é" * 51_200),
            ("", ""),
        ],
    )
    async def test_a_long_draft_is_cut_and_marked(self, tmp_path: Path, draft: str, stored: str) -> None:
        """At 51,200 UTF-16 units, as JavaScript counts; a character is never cut in half."""
        async with core(tmp_path) as bridge:
            answer = await save(bridge, await new_task(bridge), draftContent=draft)
            details = await bridge.call("checkpoint_get", id=answer["id"])
            assert details["draftContent"] == stored
            (item,) = (await bridge.call("checkpoint_list", taskId=answer["taskId"]))["checkpoints"]
            assert item["hasDraft"] is bool(draft)

    async def test_a_task_keeps_its_newest_five(self, tmp_path: Path) -> None:
        """Of each task; the numbers go on."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge), await new_task(bridge)
            await save(bridge, other)
            answers = [await save(bridge, task) for _ in range(7)]
            assert [answer["sequence"] for answer in answers] == [1, 2, 3, 4, 5, 6, 7]
            assert (await kept(bridge, task), await kept(bridge, other)) == ([3, 4, 5, 6, 7], [1])

    async def test_an_archived_task_can_be_saved(self, tmp_path: Path) -> None:
        """As in the original."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await execute(bridge, "UPDATE tasks SET archived = 1")
            assert (await save(bridge, task))["sequence"] == 1

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"taskId": "TASK-none"}, NotFoundError, "taskId"),
            ({"trigger": "auto_iteration"}, InvalidArgumentError, "trigger"),
            ({"expiresIn": 0}, InvalidArgumentError, "expiresIn"),
            ({"expiresIn": -5}, InvalidArgumentError, "expiresIn"),
            ({"expiresIn": 10**12}, InvalidArgumentError, "expiresIn"),
            ({"expiresIn": 1.5}, InvalidArgumentError, "expiresIn"),
            ({"executionStep": "1"}, InvalidArgumentError, "executionStep"),
            ({"draftType": "poem"}, InvalidArgumentError, "draftType"),
            ({"agentContext": "x"}, InvalidArgumentError, "agentContext"),
            ({"iterationNumber": -1}, InvalidArgumentError, "iterationNumber"),
            ({"iterationConfig": {}}, InvalidArgumentError, "iterationConfig.maxIterations"),
            (
                {"iterationConfig": {"maxIterations": 0, "completionPromises": []}},
                InvalidArgumentError,
                "iterationConfig.maxIterations",
            ),
            (
                {"iterationConfig": {"maxIterations": 1, "completionPromises": [1]}},
                InvalidArgumentError,
                "iterationConfig.completionPromises.0",
            ),
            (
                {"iterationConfig": {"maxIterations": 1, "completionPromises": [], "x": 1}},
                InvalidArgumentError,
                "iterationConfig.x",
            ),
            ({"pauseMetadata": {}}, InvalidArgumentError, "pauseMetadata"),
        ],
    )
    async def test_what_is_refused_saves_nothing_and_names_its_field(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Promise D6: a failing call delivers nothing; and it writes nothing."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            bridge.forget()
            with pytest.raises(error) as caught:
                await bridge.call("checkpoint_create", **{"taskId": task} | arguments)
            assert caught.value.field == field
            assert (bridge.events, await kept(bridge)) == ([], [])


class TestGet:
    async def test_everything_that_was_saved_comes_back(self, tmp_path: Path) -> None:
        """Null where there is no value; the title is today's, the rest that of the moment."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "T", assignedAgent="me", metadata={"x": "é"})
            child = await new_task(bridge, parentId=task)
            await bridge.call("task_update", id=task, status="blocked", blockedReason="r", notes="n")
            context = {"files": ["a"], "n": None}
            answer = await save(
                bridge, task, trigger="error", agentContext=context, draftContent="d", draftType="implementation"
            )
            await bridge.call("task_update", id=task, status="completed", notes="later", metadata={"x": "y"})
            await execute(bridge, "UPDATE tasks SET title = 'New' WHERE id = ?", task)
            assert list((await bridge.call("checkpoint_get", id=answer["id"])).items()) == [
                ("id", answer["id"]),
                ("taskId", task),
                ("taskTitle", "New"),
                ("sequence", 2),
                ("trigger", "error"),
                ("taskStatus", "blocked"),
                ("taskNotes", "n"),
                ("taskMetadata", {"x": "é", "activationMode": None}),
                ("blockedReason", "r"),
                ("assignedAgent", "me"),
                ("executionPhase", None),
                ("executionStep", None),
                ("agentContext", context),
                ("draftContent", "d"),
                ("draftType", "implementation"),
                ("subtaskStates", [{"id": child, "status": "pending"}]),
                ("createdAt", NOW),
                ("expiresAt", "2026-01-09T12:00:00.000Z"),
            ]

    async def test_by_its_id_an_expired_one_is_still_there(self, tmp_path: Path) -> None:
        """Until the sweep removes it."""
        async with core(tmp_path) as bridge:
            answer = await save(bridge, await new_task(bridge), expiresIn=1)
            bridge.clock.advance(HOUR)
            assert (await bridge.call("checkpoint_get", id=answer["id"]))["agentContext"] == {}
            with pytest.raises(NotFoundError) as caught:
                await bridge.call("checkpoint_get", id="CP-none")
            assert caught.value.field == "id"

    async def test_what_another_program_wrote_badly_counts_as_empty(self, tmp_path: Path) -> None:
        """Neither reading nor resuming fails over it."""
        broken = {"subtask_states": "5", "agent_context": "no json", "task_metadata": None, "iteration_number": None}
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            row = checkpoint("CP-1", task, 1) | broken | {"iteration_history": "{}", "completion_promises": None}
            await put(bridge, "checkpoints", row)
            details = await bridge.call("checkpoint_get", id="CP-1")
            assert (details["subtaskStates"], details["agentContext"], details["taskMetadata"]) == ([], None, {})
            resumed = await bridge.call("checkpoint_resume", taskId=task)
            assert (resumed["subtaskSummary"]["total"], resumed["iterationNumber"]) == (0, 0)
            assert (resumed["iterationHistory"], resumed["completionPromises"]) == ([], [])


class TestResume:
    async def test_the_answer_holds_all_that_an_agent_needs_to_go_on(self, tmp_path: Path) -> None:
        """It changes nothing, and says so to whoever listens."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, "Build it")
            children = [await new_task(bridge, parentId=task) for _ in range(3)]
            for child, status in zip(children, ("completed", "blocked", "cancelled"), strict=True):
                await bridge.call("task_update", id=child, status=status)
            await bridge.call("task_update", id=task, status="blocked", blockedReason="no key")
            config = {"maxIterations": 3, "completionPromises": ["DONE"], "validationRules": [{"x": 1}]}
            answer = await save(
                bridge,
                task,
                executionPhase="build",
                executionStep=0,
                agentContext={"a": 1},
                draftContent="x" * 201,
                draftType="other",
                iterationConfig=config,
                iterationNumber=2,
            )
            await bridge.call("task_update", id=task, status="in_progress")
            before = await rows(bridge, "SELECT * FROM tasks")
            bridge.forget()
            bridge.clock.advance(1)
            resumed = await bridge.call("checkpoint_resume", taskId=task, checkpointId=answer["id"])
            instructions = resumed.pop("resumeInstructions")
            assert list(resumed.items()) == [
                ("taskId", task),
                ("taskTitle", "Build it"),
                ("checkpointId", answer["id"]),
                ("checkpointCreatedAt", NOW),
                ("restoredStatus", "blocked"),
                ("restoredPhase", "build"),
                ("restoredStep", 0),
                ("agentContext", {"a": 1}),
                ("hasDraft", True),
                ("draftType", "other"),
                ("draftPreview", "x" * 200 + "..."),
                ("subtaskSummary", {"total": 3, "completed": 1, "pending": 0, "blocked": 1}),
                ("iterationConfig", config),
                ("iterationNumber", 2),
                ("iterationHistory", []),
                ("completionPromises", ["DONE"]),
                ("validationState", None),
            ]
            for needed in ("Build it", "phase 'build', step 0", "no key", "draft", "1 of 3", "became in progress"):
                assert needed in instructions
            assert bridge.events == [
                (
                    f"checkpoint:{task}",
                    "checkpoint.resumed",
                    {
                        "checkpointId": answer["id"],
                        "taskId": task,
                        "taskTitle": "Build it",
                        "sequence": 2,
                        "resumedAt": "2026-01-08T12:00:01.000Z",
                    },
                )
            ]
            assert await rows(bridge, "SELECT * FROM tasks") == before

    async def test_the_newest_that_has_not_expired_is_taken(self, tmp_path: Path) -> None:
        """In the original an expired newest one hid all others."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            old = await save(bridge, task, executionPhase="old")
            short = await save(bridge, task, expiresIn=1)
            resume = {"taskId": task}
            assert (await bridge.call("checkpoint_resume", **resume))["checkpointId"] == short["id"]
            bridge.clock.advance(60)
            assert (await bridge.call("checkpoint_resume", **resume))["checkpointId"] == old["id"]
            latest = await bridge.database.read(lambda tx: latest_checkpoint(tx, stream_id=None, task_id=task))
            assert latest.checkpoint_id == old["id"]

    async def test_what_cannot_be_resumed_says_why_and_tells_nobody(self, tmp_path: Path) -> None:
        """None, unknown, expired, and that of another task, which the original handed out."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge), await new_task(bridge)
            foreign, expired = await save(bridge, other), await save(bridge, task, expiresIn=1)
            bridge.clock.advance(HOUR)
            bridge.forget()
            attempts: list[tuple[dict[str, str], type[BridgeError], str, str]] = [
                ({"taskId": task}, NotFoundError, "taskId", "No checkpoint found"),
                ({"taskId": "TASK-none"}, NotFoundError, "taskId", "Task not found"),
                ({"taskId": task, "checkpointId": "CP-none"}, NotFoundError, "checkpointId", "CP-none"),
                ({"taskId": task, "checkpointId": expired["id"]}, NotFoundError, "checkpointId", "expired at 2026"),
                ({"taskId": task, "checkpointId": foreign["id"]}, ConflictError, "checkpointId", f"to task {other}"),
            ]
            for arguments, error, field, message in attempts:
                with pytest.raises(error, match=message) as caught:
                    await bridge.call("checkpoint_resume", **arguments)
                assert caught.value.field == field
            assert bridge.events == []


class TestList:
    async def test_the_newest_come_first_expired_ones_too(self, tmp_path: Path) -> None:
        """Five, or as many as are asked for; an unknown task has none."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            answers = [await save(bridge, task, expiresIn=1, executionPhase="p") for _ in range(3)]
            bridge.clock.advance(HOUR)
            listed = await bridge.call("checkpoint_list", taskId=task)
            assert [item["id"] for item in listed["checkpoints"]] == [answer["id"] for answer in reversed(answers)]
            assert list(listed["checkpoints"][0].items()) == [
                ("id", answers[2]["id"]),
                ("sequence", 3),
                ("trigger", "manual"),
                ("phase", "p"),
                ("step", None),
                ("hasDraft", False),
                ("createdAt", NOW),
                ("expiresAt", "2026-01-08T12:01:00.000Z"),
            ]
            assert len((await bridge.call("checkpoint_list", taskId=task, limit=1))["checkpoints"]) == 1
            assert await bridge.call("checkpoint_list", taskId="no") == {"taskId": "no", "checkpoints": []}
            with pytest.raises(InvalidArgumentError, match="limit"):
                await bridge.call("checkpoint_list", taskId=task, limit=0)

    async def test_iterations_can_be_asked_for(self, tmp_path: Path) -> None:
        """By number, and by whether there is one at all."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await save(bridge, task)
            for number in (1, 2):
                config = {"maxIterations": 3, "completionPromises": []}
                await save(bridge, task, iterationConfig=config, iterationNumber=number)
            for arguments, expected in (
                ({"iterationNumber": 2}, [3]),
                ({"hasIteration": True}, [3, 2]),
                ({"hasIteration": False}, [1]),
                ({"hasIteration": True, "iterationNumber": 0}, []),
            ):
                listed = await bridge.call("checkpoint_list", taskId=task, **arguments)
                assert [item["sequence"] for item in listed["checkpoints"]] == expected


class TestCleanup:
    async def test_expired_ones_of_all_tasks_go_or_those_of_one(self, tmp_path: Path) -> None:
        """With a taskId only that task is touched; each removal of an expired one is told."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge), await new_task(bridge)
            expired = [await save(bridge, task_id, expiresIn=1) for task_id in (task, other)]
            await save(bridge, task)
            bridge.clock.advance(HOUR)
            bridge.forget()
            assert await bridge.call("checkpoint_cleanup", taskId=task) == {"deletedCount": 1, "remainingCount": 2}
            assert await bridge.call("checkpoint_cleanup") == {"deletedCount": 1, "remainingCount": 1}
            assert [(topic, kind) for topic, kind, _ in bridge.events] == [
                (f"checkpoint:{answer['id']}", "checkpoint.expired") for answer in expired
            ]
            assert list(bridge.events[0][2].items()) == [
                ("checkpointId", expired[0]["id"]),
                ("taskId", task),
                ("sequence", 1),
                ("expiredAt", expired[0]["expiresAt"]),
            ]

    async def test_old_ones_go_on_request_without_a_word(self, tmp_path: Path) -> None:
        """They were removed, they did not expire."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge), await new_task(bridge)
            for _ in range(2):
                await save(bridge, task)
                await save(bridge, other)
                bridge.clock.advance(600)
            bridge.forget()
            assert await bridge.call("checkpoint_cleanup", olderThan=15, taskId=task) == {
                "deletedCount": 1,
                "remainingCount": 3,
            }
            assert (await bridge.call("checkpoint_cleanup", olderThan=15))["deletedCount"] == 1
            assert (await bridge.call("checkpoint_cleanup", olderThan=0))["remainingCount"] == 0
            assert bridge.events == []

    async def test_all_but_the_newest_of_a_task_go_on_request(self, tmp_path: Path) -> None:
        """Down to none; other tasks keep theirs."""
        async with core(tmp_path) as bridge:
            task, other = await new_task(bridge), await new_task(bridge)
            for _ in range(4):
                await save(bridge, task)
                await save(bridge, other)
            assert (await bridge.call("checkpoint_cleanup", taskId=task, keepLatest=2))["deletedCount"] == 2
            assert (await kept(bridge, task), await kept(bridge, other)) == ([3, 4], [1, 2, 3, 4])
            assert (await bridge.call("checkpoint_cleanup", taskId=task, keepLatest=0))["remainingCount"] == 4

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"keepLatest": 1}, InvalidArgumentError, "keepLatest"),
            ({"taskId": "TASK-none"}, NotFoundError, "taskId"),
            ({"olderThan": -1}, InvalidArgumentError, "olderThan"),
            ({"olderThan": 10**15}, InvalidArgumentError, "olderThan"),
            ({"keepLatest": "1"}, InvalidArgumentError, "keepLatest"),
        ],
    )
    async def test_what_is_refused_deletes_nothing(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Not even what has expired."""
        async with core(tmp_path) as bridge:
            await save(bridge, await new_task(bridge), expiresIn=1)
            bridge.clock.advance(HOUR)
            with pytest.raises(error) as caught:
                await bridge.call("checkpoint_cleanup", **arguments)
            assert (caught.value.field, await kept(bridge)) == (field, [1])


async def test_the_sweep_removes_what_is_due_in_short_steps(tmp_path: Path) -> None:
    """500 at a time, the longest expired first; what lasts, and what never expires, stays."""
    async with core(tmp_path) as bridge:
        task = await new_task(bridge)
        due = [checkpoint(f"CP-{n:03}", task, n, expires=f"2026-01-08T11:00:00.{n:03}Z") for n in range(620)]
        await put(bridge, "checkpoints", *reversed(due), checkpoint("CP-A", task, 700), checkpoint("CP-B", task, 701))
        await execute(bridge, "UPDATE checkpoints SET expires_at = '2026-01-08T12:00:00.001Z' WHERE id = 'CP-B'")
        bridge.forget()
        assert [await bridge.recorder.record(expire_checkpoints) for _ in range(3)] == [500, 120, 0]
        assert [data["checkpointId"] for _, _, data in bridge.events] == [row["id"] for row in due]
        assert await kept(bridge) == [700, 701]
