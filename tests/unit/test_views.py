"""What the reading routes are made of: tasks, streams, health, activity and checkpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from taskcopilot.errors import BridgeError, InvalidArgumentError, NotFoundError
from taskcopilot.store.database import Database
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.agent_names import agent_name
from taskcopilot.tools.views.activity import list_activity
from taskcopilot.tools.views.checkpoints import latest_checkpoint
from taskcopilot.tools.views.health import stream_health
from taskcopilot.tools.views.streams import get_stream, list_streams
from taskcopilot.tools.views.tasks import TaskViews, get_task, tasks_json
from taskcopilot.workspace import Workspace
from tests.helpers.bridge import Core, as_json, core
from tests.helpers.clock import FakeClock
from tests.helpers.original_database import build_original_database
from tests.helpers.rows import AT, INITIATIVE, PRD, at_work, checkpoint, initiative, prd, put, task

NOW = "2026-01-08T12:00:00.000Z"
ELEVEN_MINUTES_AGO = "2026-01-08T11:49:00.000Z"
TEN_MINUTES_AGO = "2026-01-08T11:50:00.000Z"
FIVE_MINUTES_AGO = "2026-01-08T11:55:00.000Z"
JUST_NOW = "2026-01-08T11:59:57.100Z"

STALE = "Task in_progress but no activity for 10+ minutes"
UNSAVED = "No checkpoint in 10+ minutes"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with one initiative and one PRD."""
    async with core(tmp_path) as running:
        await put(running, "initiatives", initiative())
        await put(running, "prds", prd())
        yield running


async def view(bridge: Core, unit: Callable[..., BaseModel], *arguments: Any, **more: Any) -> Any:
    """Return a view as it looks on the wire."""
    return as_json(await bridge.database.read(lambda tx: unit(tx, *arguments, **more)))


async def refusal(bridge: Core, unit: Callable[..., BaseModel], *arguments: Any, **more: Any) -> BridgeError:
    """Return the error of a view."""
    with pytest.raises(BridgeError) as failure:
        await bridge.database.read(lambda tx: unit(tx, *arguments, **more))
    return failure.value


def listed_tasks(tx: ReadTx, **filters: Any) -> TaskViews:
    """Return a list of tasks; its JSON is that of its model, key by key."""
    body = tasks_json(tx, **filters)
    model = TaskViews.model_validate_json(body)
    assert model.model_dump_json().encode() == body
    return model


async def log(bridge: Core, entity_type: str, entity_id: str, at: str) -> None:
    """Put a row into the diary."""
    row = {"id": f"{entity_id}-{at}", "initiative_id": INITIATIVE, "type": "x", "entity_id": entity_id}
    await put(bridge, "activity_log", row | {"entity_type": entity_type, "summary": "s", "created_at": at})


class TestTasks:
    """GET /api/tasks and GET /api/tasks/:id."""

    async def test_tasks_come_newest_first_without_archived_ones(self, bridge: Core) -> None:
        """What has no value has no key; the total is the length of the list."""
        await put(
            bridge,
            "tasks",
            task("T1", "A", description="", notes="n"),
            task("T3", at="2026-01-08T11:00:02.000Z", metadata=None),
            task("T2", at="2026-01-08T11:00:01.000Z", metadata="[broken"),
            task("T4", archived=1),
        )
        answer = await view(bridge, listed_tasks)
        assert [shown["id"] for shown in answer["tasks"]] == ["T3", "T2", "T1"]
        assert answer["totalTasks"] == 3
        assert [shown["metadata"] for shown in answer["tasks"]] == [{}, {}, {"streamId": "A"}]
        assert list(answer["tasks"][2]) == ["id", "title", "status", "notes", "metadata", "createdAt", "updatedAt"]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"status": "blocked"}, ["T2", "T1"]),
            ({"status": "unheard of"}, []),
            ({"stream_id": "5"}, ["T3"]),
            ({"assigned_agent": "me"}, ["T1"]),
            ({"prd_id": PRD}, ["T2"]),
            ({"limit": 2}, ["T3", "T2"]),
            ({"status": "blocked", "stream_id": "A", "limit": 1}, ["T2"]),
            ({"limit": 10**18}, ["T3", "T2", "T1"]),
        ],
    )
    async def test_filters_are_combined(self, bridge: Core, filters: dict[str, Any], expected: list[str]) -> None:
        """Each one narrows the list; a number as stream id is reached by its text."""
        await put(
            bridge,
            "tasks",
            task("T1", "A", "blocked", assigned_agent="me"),
            task("T2", "A", "blocked", prd_id=PRD, at="2026-01-08T11:00:01.000Z"),
            task("T3", 5, at="2026-01-08T11:00:02.000Z"),
        )
        answer = await view(bridge, listed_tasks, **filters)
        assert [shown["id"] for shown in answer["tasks"]] == expected
        assert answer["totalTasks"] == len(expected)

    async def test_one_task_also_reads_like_the_data_of_an_event(self, bridge: Core) -> None:
        """The original's client hands it to callbacks that expect a `task.updated`."""
        await put(bridge, "tasks", task("T1", "A", archived=1), task("T2"))
        answer = await view(bridge, get_task, "T1")
        assert (answer["id"], answer["title"], answer["status"]) == ("T1", "Title of T1", "pending")
        assert (answer["taskId"], answer["taskTitle"], answer["streamId"]) == ("T1", "Title of T1", "A")
        assert (answer["changes"], answer["updatedAt"]) == ([], AT)
        assert "streamId" not in await view(bridge, get_task, "T2")

    async def test_an_unknown_task_is_not_found(self, bridge: Core) -> None:
        """With the original's text and the id beside it."""
        error = await refusal(bridge, get_task, "T9")
        assert isinstance(error, NotFoundError)
        assert (error.message, error.field, error.details) == ("Task not found", "taskId", {"taskId": "T9"})


class TestStreams:
    """GET /api/streams and GET /api/streams/:id."""

    async def test_streams_are_listed_with_their_number(self, bridge: Core) -> None:
        """Those of the tool, for the current or another initiative."""
        await put(bridge, "tasks", task("T1", "A", "blocked", blocked_reason="key", prd_id=PRD), task("T2", "B"))
        answer = await view(bridge, list_streams)
        assert answer["streams"] == (await bridge.call("stream_list"))["streams"]
        assert (list(answer), answer["totalStreams"]) == (["streams", "totalStreams"], 2)
        first = answer["streams"][0]
        assert (first["status"], first["blockedReason"], first["progressPercentage"]) == ("blocked", "key", 0)
        assert (await view(bridge, list_streams, initiative_id=INITIATIVE))["totalStreams"] == 1
        assert await view(bridge, list_streams, initiative_id="nobody") == {"streams": [], "totalStreams": 0}

    async def test_archived_streams_are_there_when_asked_for(self, bridge: Core) -> None:
        """In the list and alone."""
        await put(bridge, "tasks", task("T1", "A", archived=1, prd_id=PRD))
        assert (await view(bridge, list_streams))["totalStreams"] == 0
        assert (await view(bridge, list_streams, include_archived=True))["totalStreams"] == 1
        assert (await view(bridge, get_stream, "A", include_archived=True))["archived"] is True
        error = await refusal(bridge, get_stream, "A")
        assert (error.message, error.details) == ("Stream not found", {"streamId": "A"})

    async def test_a_detail_is_that_of_the_tool(self, bridge: Core) -> None:
        """With the counts that the original's clients look for."""
        await put(bridge, "tasks", task("T1", "A", "completed"), task("T2", "A", "cancelled"))
        answer = await view(bridge, get_stream, "A")
        assert answer == await bridge.call("stream_get", streamId="A")
        assert (answer["totalTasks"], answer["completedTasks"], answer["status"]) == (1, 1, "completed")


class TestHealth:
    """GET /api/streams/:id/health."""

    async def test_a_stream_at_work_is_healthy(self, bridge: Core) -> None:
        """Key by key; ages are whole seconds."""
        await put(bridge, "tasks", task("T1", "A", "in_progress", at=JUST_NOW))
        await put(bridge, "checkpoints", checkpoint("CP", "T1", 1, at=TEN_MINUTES_AGO))
        assert list((await view(bridge, stream_health, "A")).items()) == [
            ("streamId", "A"),
            ("healthy", True),
            ("currentTask", "T1"),
            ("taskStatus", "in_progress"),
            ("lastActivity", JUST_NOW),
            ("lastCheckpoint", TEN_MINUTES_AGO),
            ("currentCheckpoint", "CP"),
            ("timeSinceActivity", 2),
            ("timeSinceCheckpoint", 600),
            ("warnings", []),
        ]

    async def test_a_task_in_progress_that_nobody_touches_is_unhealthy(self, bridge: Core) -> None:
        """After ten minutes; the current task is the oldest in progress, archived ones included."""
        await put(
            bridge,
            "tasks",
            task("T2", "A", "in_progress", at=ELEVEN_MINUTES_AGO),
            task("T1", "A", "in_progress", archived=1),
            task("T0", "A", "completed", at="2026-01-08T10:00:00.000Z"),
        )
        answer = await view(bridge, stream_health, "A")
        assert (answer["healthy"], answer["currentTask"], answer["timeSinceActivity"]) == (False, "T1", 660)
        assert answer["warnings"] == [UNSAVED, STALE]
        assert (answer["lastCheckpoint"], answer["timeSinceCheckpoint"]) == (None, None)

    async def test_without_a_task_in_progress_silence_is_healthy(self, bridge: Core) -> None:
        """There is no current task then."""
        await put(bridge, "tasks", task("T1", "A", "pending"))
        answer = await view(bridge, stream_health, "A")
        assert (answer["healthy"], answer["currentTask"], answer["taskStatus"]) == (True, None, None)
        assert answer["warnings"] == [UNSAVED]

    @pytest.mark.parametrize("source", ["task", "stream", "heartbeat", "change"])
    async def test_activity_is_whatever_was_heard_last(self, bridge: Core, source: str) -> None:
        """The diary, a change of a task, or a heartbeat: a task without a PRD has no diary."""
        updated = JUST_NOW if source == "change" else ELEVEN_MINUTES_AGO
        await put(bridge, "tasks", task("T1", "A_", "in_progress", updated_at=updated), task("T2", "AB", at=NOW))
        await log(bridge, "task", "T1", JUST_NOW if source == "task" else AT)
        await log(bridge, "stream", "A_", JUST_NOW if source == "stream" else AT)
        await log(bridge, "task", "T2", NOW)
        await log(bridge, "prd", "A_", NOW)
        heartbeat = JUST_NOW if source == "heartbeat" else AT
        await put(bridge, "agent_activity", at_work("T1", "A_", heartbeat=heartbeat))
        answer = await view(bridge, stream_health, "A_")
        assert (answer["lastActivity"], answer["healthy"]) == (JUST_NOW, True)

    async def test_times_that_lie_ahead_or_are_none_do_no_harm(self, bridge: Core) -> None:
        """Another program's clock may be off."""
        await put(bridge, "tasks", task("T1", "A", "in_progress", at="2026-01-08T13:00:00.000Z"))
        assert (await view(bridge, stream_health, "A"))["timeSinceActivity"] == 0
        await put(bridge, "tasks", task("T2", "B", "in_progress", at="yesterday"))
        answer = await view(bridge, stream_health, "B")
        assert (answer["timeSinceActivity"], answer["healthy"]) == (None, False)

    async def test_an_unknown_stream_is_not_found_but_an_archived_one_is(self, bridge: Core) -> None:
        """With the original's text and the id beside it."""
        await put(bridge, "tasks", task("T1", "A", archived=1))
        assert (await view(bridge, stream_health, "A"))["streamId"] == "A"
        error = await refusal(bridge, stream_health, "nobody")
        assert isinstance(error, NotFoundError)
        assert (error.message, error.field) == ("Stream not found", "streamId")
        assert error.details == {"streamId": "nobody"}


class TestActivity:
    """GET /api/activity."""

    async def test_agents_at_work_come_with_their_names(self, bridge: Core) -> None:
        """Key by key; what has no value has no key."""
        await put(bridge, "tasks", task("T1", "A", "in_progress", metadata={"streamName": "API"}))
        await put(bridge, "agent_activity", at_work("T1", "A", "ta", heartbeat=JUST_NOW, phase="", completed_at=None))
        answer = await view(bridge, list_activity)
        assert answer == {
            "activities": [
                {
                    "streamId": "A",
                    "streamName": "API",
                    "agentId": "ta",
                    "agentName": "Tech Architect",
                    "taskId": "T1",
                    "taskTitle": "Title of T1",
                    "startedAt": AT,
                    "lastHeartbeat": JUST_NOW,
                    "isActive": True,
                }
            ],
            "totalActive": 1,
            "totalIdle": 0,
        }

    async def test_after_five_minutes_without_a_heartbeat_an_agent_is_idle(self, bridge: Core) -> None:
        """The latest heartbeat comes first, and both kinds are counted."""
        heartbeats = {"T1": FIVE_MINUTES_AGO, "T2": "2026-01-08T11:55:00.001Z", "T3": AT}
        await put(bridge, "tasks", *(task(id_, "A", "in_progress") for id_ in heartbeats))
        rows = [at_work(id_, "A", heartbeat=at, activity_description="d", phase="p") for id_, at in heartbeats.items()]
        await put(bridge, "agent_activity", *rows)
        answer = await view(bridge, list_activity)
        assert [(item["taskId"], item["isActive"]) for item in answer["activities"]] == [
            ("T2", True),
            ("T1", False),
            ("T3", False),
        ]
        assert (answer["totalActive"], answer["totalIdle"]) == (1, 2)
        first = answer["activities"][0]
        assert (first["streamName"], first["activityDescription"], first["phase"]) == ("A", "d", "p")

    async def test_activities_end_with_their_tasks(self, bridge: Core) -> None:
        """Completed, cancelled and pending tasks have nobody at work; all rows come when asked for, not active."""
        statuses = ("in_progress", "blocked", "completed", "cancelled", "pending")
        await put(bridge, "tasks", *(task(f"T-{status}", "A", status) for status in statuses))
        await put(bridge, "agent_activity", *(at_work(f"T-{status}", "A", heartbeat=JUST_NOW) for status in statuses))
        await put(bridge, "tasks", task("T-done", "A", "in_progress"))
        await put(bridge, "agent_activity", at_work("T-done", "A", heartbeat=JUST_NOW, completed_at=JUST_NOW))
        answer = await view(bridge, list_activity)
        assert {item["taskId"] for item in answer["activities"]} == {"T-in_progress", "T-blocked"}
        everything = await view(bridge, list_activity, unfinished_only=False)
        assert len(everything["activities"]) == 6
        active = {item["taskId"] for item in everything["activities"] if item["isActive"]}
        assert active == {"T-in_progress", "T-blocked"}
        assert (everything["totalActive"], everything["totalIdle"]) == (2, 4)

    async def test_a_stream_narrows_the_list(self, bridge: Core) -> None:
        """Tasks without a stream are in the stream `default`."""
        await put(bridge, "tasks", task("T1", "A", "in_progress"), task("T2", None, "in_progress"))
        await put(bridge, "agent_activity", at_work("T1", "A"), at_work("T2", "default"))
        for stream, expected in (("A", ["T1"]), ("default", ["T2"]), ("%", [])):
            answer = await view(bridge, list_activity, stream_id=stream)
            assert [item["taskId"] for item in answer["activities"]] == expected

    def test_agents_without_a_name_go_by_their_id(self) -> None:
        """Eleven short ids have one."""
        assert [agent_name(id_) for id_ in ("me", "uid", "somebody")] == ["Engineer", "UI Developer", "somebody"]


class TestCheckpoints:
    """GET /api/checkpoints."""

    async def test_the_newest_of_a_stream_or_task_is_shown(self, bridge: Core) -> None:
        """Key by key; no phase and no step are null. A stream wins over a task."""
        await put(bridge, "tasks", task("T1", "A"), task("T2", "A", archived=1), task("T3", "B"))
        await put(
            bridge,
            "checkpoints",
            checkpoint("old", "T1", 1),
            checkpoint("task", "T1", 2),
            checkpoint("stream", "T2", 1, at=JUST_NOW) | {"execution_phase": "p", "execution_step": 3},
            checkpoint("other", "T3", 1, at=NOW),
        )
        assert list((await view(bridge, latest_checkpoint, task_id="T1")).items()) == [
            ("checkpointId", "task"),
            ("taskId", "T1"),
            ("sequence", 2),
            ("createdAt", AT),
            ("trigger", "manual"),
            ("executionPhase", None),
            ("executionStep", None),
        ]
        answer = await view(bridge, latest_checkpoint, stream_id="A", task_id="T3")
        assert (answer["checkpointId"], answer["executionPhase"], answer["executionStep"]) == ("stream", "p", 3)

    async def test_an_expired_checkpoint_is_never_shown(self, bridge: Core) -> None:
        """Not even one that expired a millisecond ago; an older one that lives is."""
        await put(bridge, "tasks", task("T1", "A"))
        await put(
            bridge,
            "checkpoints",
            checkpoint("lives", "T1", 1, expires="2026-01-08T12:00:00.001Z"),
            checkpoint("expired", "T1", 2, expires=NOW, at=JUST_NOW),
        )
        for where in ({"task_id": "T1"}, {"stream_id": "A"}):
            assert (await view(bridge, latest_checkpoint, **where))["checkpointId"] == "lives"
        assert (await view(bridge, stream_health, "A"))["currentCheckpoint"] == "lives"
        bridge.clock.advance(0.001)
        for where in ({"task_id": "T1"}, {"stream_id": "A"}):
            assert isinstance(await refusal(bridge, latest_checkpoint, **where), NotFoundError)

    async def test_wildcards_in_a_stream_id_stand_for_themselves(self, bridge: Core) -> None:
        """The original took them for patterns."""
        await put(bridge, "tasks", task("T1", "A1"))
        await put(bridge, "checkpoints", checkpoint("CP", "T1", 1))
        error = await refusal(bridge, latest_checkpoint, stream_id="A_")
        assert (error.message, error.details) == ("No checkpoint found for stream", {"streamId": "A_"})

    async def test_what_is_missing_is_said_in_the_words_of_the_original(self, bridge: Core) -> None:
        """With the id that was asked for."""
        error = await refusal(bridge, latest_checkpoint, task_id="T9")
        assert (error.message, error.details) == ("No checkpoint found for task", {"taskId": "T9"})
        error = await refusal(bridge, latest_checkpoint)
        assert isinstance(error, InvalidArgumentError)
        assert error.message == "Must provide either streamId or taskId"


async def test_a_database_of_the_original_is_served(tmp_path: Path) -> None:
    """Every view reads the rows that the original left."""
    contents = build_original_database(tmp_path / "tasks.db")
    async with Database.open(Workspace.at(tmp_path / "tasks.db"), FakeClock()) as database:

        def unit(tx: ReadTx) -> list[Any]:
            listed = list_streams(tx)
            details = [get_stream(tx, shown.stream_id) for shown in listed.streams]
            health = [stream_health(tx, stream_id) for stream_id in contents.streams]
            activity = list_activity(tx, unfinished_only=False)
            saved = latest_checkpoint(tx, task_id=contents.in_progress_task)
            return [listed, details, health, activity, saved, listed_tasks(tx)]

        listed, details, health, activity, saved, tasks = await database.read(unit)
    assert [shown.stream_id for shown in listed.streams] == ["Stream-A", "5", "Stream-B", "Stream-Z"]
    assert [(shown.total_tasks, shown.status) for shown in details][2] == (2, "blocked")
    assert {shown.stream_id for shown in health} == {"Stream-Old", *(shown.stream_id for shown in listed.streams)}
    assert len(activity.activities) == contents.rows["agent_activity"]
    assert saved.checkpoint_id == contents.live_checkpoint
    assert tasks.total_tasks == contents.rows["tasks"] - len(contents.archived_tasks)
