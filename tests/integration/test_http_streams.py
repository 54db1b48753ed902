"""The original's reading routes, served from a database of the original: its fields, in its order, and its queries."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.original_database import OriginalContents, build_original_database
from tests.helpers.server import RunningServer

INFO = [
    "streamId",
    "streamName",
    "streamPhase",
    "totalTasks",
    "completedTasks",
    "inProgressTasks",
    "blockedTasks",
    "pendingTasks",
    "files",
    "streamPaths",
    "dependencies",
    "tokenBudget",
    "tokenUsage",
    "overBudget",
    "progressPercentage",
]

DETAIL = [
    "streamId",
    "streamName",
    "streamPhase",
    "tasks",
    "dependencies",
    "status",
    "tokenUsage",
    "overBudget",
    "archived",
    "progressPercentage",
]

HEALTH = [
    "streamId",
    "healthy",
    "currentTask",
    "taskStatus",
    "lastActivity",
    "lastCheckpoint",
    "currentCheckpoint",
    "timeSinceActivity",
    "timeSinceCheckpoint",
    "warnings",
]


@pytest.fixture
async def contents(tmp_path: Path) -> OriginalContents:
    """What the database holds."""
    return await asyncio.to_thread(build_original_database, tmp_path / "tasks.db")


@pytest.fixture
async def original(contents: OriginalContents, serve) -> RunningServer:
    """A bridge on the original's database."""
    return await serve()


def ids(answer: dict[str, Any]) -> list[str]:
    """Return the ids of the streams."""
    return [stream["streamId"] for stream in answer["streams"]]


async def test_streams_come_by_phase_with_the_fields_of_the_original(original: RunningServer) -> None:
    """Ours come after them: status, blockedReason, cancelledTasks."""
    answer = await original.get("/api/streams")
    assert ids(answer) == ["Stream-A", "5", "Stream-B", "Stream-Z"]
    assert answer["totalStreams"] == 4
    api = answer["streams"][2]
    assert [name for name in api if name in INFO] == INFO
    assert (api["status"], api["blockedReason"]) == ("blocked", "Waiting for the bank's sandbox")
    assert answer["streams"][0]["progressPercentage"] == 50


async def test_an_initiative_chooses_its_streams(original: RunningServer, contents: OriginalContents) -> None:
    """An unknown one has none, an empty text is no choice."""
    assert ids(await original.get("/api/streams", initiativeId=contents.current_initiative))[0] == "Stream-A"
    assert len(ids(await original.get("/api/streams", initiativeId=""))) == 4
    assert await original.get("/api/streams", initiativeId="INIT-none") == {"streams": [], "totalStreams": 0}


@pytest.mark.parametrize(("text", "shown"), [("true", True), ("TRUE", False), ("1", False), ("", False)])
async def test_archived_streams_are_shown_for_exactly_true(
    original: RunningServer, contents: OriginalContents, text: str, shown: bool
) -> None:
    """Nothing else counts as true."""
    (archived,) = [stream for stream, tasks in contents.streams.items() if set(contents.archived_tasks) & set(tasks)]
    answer = await original.get("/api/streams", initiativeId=contents.older_initiative, includeArchived=text)
    assert (archived in ids(answer)) is shown
    detail = await original.get(f"/api/streams/{archived}", 200 if shown else 404, includeArchived=text)
    assert detail.get("archived", False) is shown


@pytest.mark.parametrize(
    "path", ["/api/streams?initiativeId=a&initiativeId=b", "/api/streams?includeArchived=true&includeArchived=true"]
)
async def test_a_filter_given_twice_is_400(original: RunningServer, path: str) -> None:
    """The original failed with 500, or took neither."""
    problem = await original.get(path, 400)
    assert problem["field"] in ("initiativeId", "includeArchived")


async def test_the_trailing_slash_of_old_clients_works(original: RunningServer) -> None:
    """For the list only."""
    assert (await original.get("/api/streams/"))["totalStreams"] == 4
    await original.get("/api/streams/Stream-A/", 404)


async def test_one_stream_has_its_tasks_and_the_counts(original: RunningServer, contents: OriginalContents) -> None:
    """The counts are what the original's polling client misses."""
    answer = await original.get("/api/streams/Stream-A")
    assert [name for name in answer if name in DETAIL] == DETAIL
    assert [task["id"] for task in answer["tasks"]] == [contents.completed_task, contents.parent_task]
    assert (answer["totalTasks"], answer["completedTasks"], answer["inProgressTasks"]) == (2, 1, 1)


@pytest.mark.parametrize("path", ["/api/streams/none", "/api/streams/none/health"])
async def test_an_unknown_stream_is_404_with_its_id(original: RunningServer, path: str) -> None:
    """H4: the original's two keys stand beside those of the problem."""
    problem = await original.get(path, 404)
    assert (problem["error"], problem["streamId"]) == ("Stream not found", "none")
    assert (problem["code"], problem["field"], problem["status"]) == ("NOT_FOUND", "streamId", 404)


async def test_a_stream_id_may_hold_any_character(server: RunningServer) -> None:
    """The path is percent-encoded UTF-8."""
    await server.call("task_create", title="One", metadata={"streamId": "a/b \u00fc%:?"})
    answer = await server.get("/api/streams/a%2Fb%20%C3%BC%25%3A%3F")
    assert answer["streamId"] == "a/b \u00fc%:?"
    assert (await server.get("/api/streams/a%2Fb%20%C3%BC%25%3A%3F/health"))["streamId"] == "a/b \u00fc%:?"


async def test_the_health_of_a_stream_keeps_its_nulls(original: RunningServer, contents: OriginalContents) -> None:
    """All ten keys are always there."""
    busy = await original.get("/api/streams/Stream-B/health")
    assert list(busy) == HEALTH
    assert (busy["currentTask"], busy["taskStatus"]) == (contents.in_progress_task, "in_progress")
    assert busy["healthy"] is False
    assert len(busy["warnings"]) == 2
    quiet = await original.get("/api/streams/Stream-Z/health")
    assert list(quiet) == HEALTH
    assert (quiet["currentTask"], quiet["taskStatus"], quiet["currentCheckpoint"]) == (None, None, None)
    assert quiet["healthy"] is True


@pytest.mark.parametrize(
    ("query", "count"), [("", 1), ("?active=false", 3), ("?active=true", 1), ("?active=False", 1), ("?active=", 1)]
)
async def test_those_who_are_done_are_shown_for_exactly_false(original: RunningServer, query: str, count: int) -> None:
    """Nothing else switches it."""
    answer = await original.get(f"/api/activity{query}")
    assert len(answer["activities"]) == count == answer["totalActive"] + answer["totalIdle"]


async def test_activity_has_the_fields_of_the_original(original: RunningServer) -> None:
    """Of one stream or of all."""
    answer = await original.get("/api/activity", streamId="Stream-B")
    assert list(answer) == ["activities", "totalActive", "totalIdle"]
    assert list(answer["activities"][0]) == [
        "streamId",
        "streamName",
        "agentId",
        "agentName",
        "taskId",
        "taskTitle",
        "activityDescription",
        "phase",
        "startedAt",
        "lastHeartbeat",
        "isActive",
    ]
    assert answer["activities"][0]["agentName"] == "Engineer"
    assert (await original.get("/api/activity", streamId="Stream-Z"))["activities"] == []


async def test_the_newest_checkpoint_of_a_stream_or_of_a_task(
    original: RunningServer, contents: OriginalContents
) -> None:
    """The stream wins when both are given; phase and step keep their nulls."""
    of_stream = await original.get("/api/checkpoints", streamId="Stream-B", taskId=contents.parent_task, latest="true")
    assert of_stream == {
        "checkpointId": contents.live_checkpoint,
        "taskId": contents.in_progress_task,
        "sequence": 2,
        "createdAt": "2025-03-12T09:02:07.026Z",
        "trigger": "manual",
        "executionPhase": "implementation",
        "executionStep": 3,
    }
    of_task = await original.get("/api/checkpoints", taskId=contents.parent_task)
    assert (of_task["checkpointId"], of_task["executionStep"]) == (contents.never_expiring_checkpoint, None)


@pytest.mark.parametrize("query", ["", "?streamId=", "?taskId=&streamId="])
async def test_a_checkpoint_of_nothing_is_400(original: RunningServer, query: str) -> None:
    """The original's words."""
    problem = await original.get(f"/api/checkpoints{query}", 400)
    assert problem["error"] == "Must provide either streamId or taskId"


@pytest.mark.parametrize(
    ("query", "error", "key"),
    [
        ("streamId=none", "No checkpoint found for stream", "streamId"),
        ("taskId=none", "No checkpoint found for task", "taskId"),
        ("streamId=%25", "No checkpoint found for stream", "streamId"),
    ],
)
async def test_no_checkpoint_is_404_with_the_id(original: RunningServer, query: str, error: str, key: str) -> None:
    """H4; a percent sign is no wildcard, as it was for the original."""
    problem = await original.get(f"/api/checkpoints?{query}", 404)
    assert (problem["error"], problem[key]) == (error, "%" if "%25" in query else "none")
