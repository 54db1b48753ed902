"""Lists are remembered while nothing changes, and never longer."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from taskcopilot.web.routes import tasks as routes
from tests.helpers.server import RunningServer

LISTS = ("/api/streams", "/api/tasks", "/api/streams/A", "/api/tasks?limit=1")


async def tag_of(server: RunningServer, path: str, known: str | None = None) -> tuple[int, str, bytes]:
    """GET a list, and return the status, its tag and its body."""
    headers = {} if known is None else {"If-None-Match": known}
    async with server.http.get(path, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-cache"
        return response.status, response.headers["ETag"], await response.read()


@pytest.mark.parametrize("path", LISTS)
async def test_who_has_the_newest_list_is_told_so_without_it(server: RunningServer, path: str) -> None:
    """304 with the tag, until something of the list changes."""
    task = await server.call("task_create", title="T", metadata={"streamId": "A"})
    status, tag, body = await tag_of(server, path)
    assert (status, b"pending" in body) == (200, True)
    assert await tag_of(server, path, tag) == (304, tag, b"")
    await server.call("task_update", id=task["id"], status="in_progress")
    status, newer, body = await tag_of(server, path, tag)
    assert (status, newer != tag, b'"in_progress"' in body) == (200, True, True)


async def test_what_another_program_commits_is_seen(server: RunningServer) -> None:
    """At the next request, whether it knows of events or not."""
    task = await server.call("task_create", title="Before")
    assert (await server.get("/api/tasks"))["tasks"][0]["title"] == "Before"
    with sqlite3.connect(server.core.database.path) as other:
        other.execute("UPDATE tasks SET title = 'After' WHERE id = ?", [task["id"]])
    other.close()
    assert (await server.get("/api/tasks"))["tasks"][0]["title"] == "After"


async def test_a_list_that_did_not_change_is_not_read_again(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Per address, while it is among the last that were asked for."""
    await server.call("task_create", title="T")
    read: list[dict[str, Any]] = []
    tasks_json = routes.tasks_json
    monkeypatch.setattr(routes, "tasks_json", lambda tx, **filters: read.append(filters) or tasks_json(tx, **filters))
    for _ in range(3):
        for limit in ("1", "2"):
            assert (await server.get("/api/tasks", limit=limit))["totalTasks"] == 1
    assert sorted(filters["limit"] for filters in read) == [1, 2]
