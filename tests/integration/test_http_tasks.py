"""GET /api/tasks and GET /api/tasks/{taskId}: the original's fields and its reading of the query."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from taskcopilot.store.transaction import Tx
from tests.helpers.server import RunningServer


async def create(server: RunningServer, title: str, **arguments: Any) -> str:
    """Create a task and return its id."""
    return (await server.call("task_create", title=title, **arguments))["id"]


def titles(answer: dict[str, Any]) -> list[str]:
    """Return the titles of the tasks."""
    return [task["title"] for task in answer["tasks"]]


async def archive(server: RunningServer, task_id: str) -> None:
    """Archive a task as its initiative's end does."""

    def unit(tx: Tx) -> None:
        tx.execute("UPDATE tasks SET archived = 1, archived_at = ? WHERE id = ?", (tx.at, task_id))

    await server.core.recorder.record(unit)


async def test_tasks_are_listed_newest_first_with_the_fields_of_the_original(server: RunningServer) -> None:
    """What has no value has no key."""
    parent = await create(server, "Old", description="About it", assignedAgent="me", metadata={"streamId": "A"})
    child = await create(server, "New", parentId=parent)
    answer = await server.get("/api/tasks")
    assert answer["totalTasks"] == 2
    assert answer["tasks"][0] == {
        "id": child,
        "parentId": parent,
        "title": "New",
        "status": "pending",
        "metadata": {"activationMode": None},
        "createdAt": "2026-01-08T12:00:00.001Z",
        "updatedAt": "2026-01-08T12:00:00.001Z",
    }
    assert list(answer["tasks"][1]) == [
        "id",
        "title",
        "description",
        "assignedAgent",
        "status",
        "metadata",
        "createdAt",
        "updatedAt",
    ]


async def test_filters_add_up(server: RunningServer) -> None:
    """All of them must fit; an unknown status fits nothing."""
    await create(server, "A-me", assignedAgent="me", metadata={"streamId": "A"})
    await create(server, "A-qa", assignedAgent="qa", metadata={"streamId": "A"})
    await create(server, "B-me", assignedAgent="me", metadata={"streamId": "B"})
    assert titles(await server.get("/api/tasks", streamId="A")) == ["A-qa", "A-me"]
    assert titles(await server.get("/api/tasks", assignedAgent="me")) == ["B-me", "A-me"]
    assert titles(await server.get("/api/tasks", assignedAgent="me", streamId="A")) == ["A-me"]
    assert titles(await server.get("/api/tasks", status="pending", streamId="B")) == ["B-me"]
    assert await server.get("/api/tasks", status="no such") == {"tasks": [], "totalTasks": 0}
    assert titles(await server.get("/api/tasks", prdId="PRD-none")) == []
    assert len(titles(await server.get("/api/tasks", status="", streamId="", assignedAgent="", prdId=""))) == 3


@pytest.mark.parametrize(
    ("limit", "count"),
    [("2", 2), ("2abc", 2), ("2.9", 2), ("  2", 2), ("+2", 2), ("02", 2), ("1e3", 1)]
    + [(text, 3) for text in ("", "0", "-1", "abc", "NaN", "99", "9" * 18, "9" * 30)],
)
async def test_the_limit_is_the_number_that_it_begins_with(server: RunningServer, limit: str, count: int) -> None:
    """As parseInt reads it; what is not above zero counts as absent."""
    for n in range(3):
        await create(server, f"Task {n}")
    assert (await server.get("/api/tasks", limit=limit))["totalTasks"] == count


@pytest.mark.parametrize("name", ["status", "streamId", "assignedAgent", "prdId", "limit"])
async def test_a_filter_given_twice_is_400(server: RunningServer, name: str) -> None:
    """The original failed with 500."""
    problem = await server.get(f"/api/tasks?{name}=1&{name}=2", expect=400)
    assert (problem["code"], problem["field"]) == ("INVALID_ARGUMENT", name)


async def test_archived_tasks_are_not_listed_but_found_by_id(server: RunningServer) -> None:
    """Always, whatever is asked for."""
    task = await create(server, "Done with")
    await archive(server, task)
    assert (await server.get("/api/tasks", includeArchived="true"))["tasks"] == []
    assert (await server.get(f"/api/tasks/{task}"))["title"] == "Done with"


async def test_the_trailing_slash_of_old_clients_works(server: RunningServer) -> None:
    """And only there."""
    assert (await server.get("/api/tasks/"))["totalTasks"] == 0
    await server.get("/health/", expect=404)


async def test_one_task_is_shown_under_both_names(server: RunningServer) -> None:
    """A client that polls feeds it to callbacks that expect the fields of `task.updated`."""
    task = await create(server, "One", metadata={"streamId": "Stream-A"})
    answer = await server.get(f"/api/tasks/{task}")
    assert answer == {
        "id": task,
        "title": "One",
        "status": "pending",
        "metadata": {"streamId": "Stream-A", "activationMode": None},
        "createdAt": "2026-01-08T12:00:00.000Z",
        "updatedAt": "2026-01-08T12:00:00.000Z",
        "taskId": task,
        "taskTitle": "One",
        "streamId": "Stream-A",
        "changes": [],
    }


@pytest.mark.parametrize("task_id", ["TASK-none", "a/b", "\u00fc \u2603", "%", "a?b", "' OR 1=1 --"])
async def test_an_unknown_task_is_404_with_its_id(server: RunningServer, task_id: str) -> None:
    """H4: the id comes back as it was meant, percent signs decoded."""
    problem = await server.get(f"/api/tasks/{quote(task_id, safe='')}", expect=404)
    assert (problem["error"], problem["taskId"]) == ("Task not found", task_id)
    assert (problem["code"], problem["field"]) == ("NOT_FOUND", "taskId")
