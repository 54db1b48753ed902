"""POST /api/streams/{streamId}/checkpoint: what recovery scripts of the original call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.raw import raw, request
from tests.helpers.server import RunningServer

PATH = "/api/streams/Stream-A/checkpoint"


@pytest.fixture
async def task(server: RunningServer) -> str:
    """The oldest of two tasks in progress in Stream-A, after one that is pending."""
    created = [
        (await server.call("task_create", title=f"Task {n}", metadata={"streamId": "Stream-A"}))["id"] for n in range(3)
    ]
    for other in created[1:]:
        await server.call("task_update", id=other, status="in_progress")
    return created[1]


async def checkpoint(server: RunningServer, made: dict[str, Any]) -> dict[str, Any]:
    """Read the checkpoint that was made."""
    return await server.call("checkpoint_get", id=made["checkpointId"])


async def test_it_saves_the_oldest_task_in_progress(server: RunningServer, task: str) -> None:
    """201, with the three keys of the original."""
    made = await server.post(PATH, {"trigger": "error", "reason": "worker lost"}, expect=201)
    assert list(made) == ["checkpointId", "taskId", "createdAt"]
    assert made["taskId"] == task
    saved = await checkpoint(server, made)
    assert (saved["taskId"], saved["trigger"]) == (task, "error")
    assert saved["agentContext"] == {"recoveryReason": "worker lost"}


async def test_an_archived_task_is_passed_over(server: RunningServer, task: str) -> None:
    """Nobody is at work on it any more, whatever its status says."""
    await server.core.recorder.record(lambda tx: tx.execute("UPDATE tasks SET archived = 1 WHERE id = ?", (task,)))
    assert (await server.post(PATH, {}, expect=201))["taskId"] != task


async def test_the_trigger_of_the_recovery_script_is_taken(server: RunningServer, task: str) -> None:
    """The original answered 500 to its own script."""
    made = await server.post(PATH, {"trigger": "auto_recovery", "reason": "stream restarted"}, expect=201)
    assert (await checkpoint(server, made))["trigger"] == "auto_recovery"


@pytest.mark.parametrize("body", [None, {}])
async def test_the_body_may_be_left_out(server: RunningServer, task: str, body: Any) -> None:
    """Then it is a manual checkpoint without a reason."""
    saved = await checkpoint(server, await server.post(PATH, body, expect=201))
    assert (saved["trigger"], saved["agentContext"]) == ("manual", {})


async def test_null_counts_as_no_options(server: RunningServer, task: str) -> None:
    """As for the original."""
    async with server.http.post(PATH, data=b"null", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 201


async def test_the_event_is_published(server: RunningServer, task: str) -> None:
    """It is the event of checkpoint_create."""
    made = await server.post(PATH, {"reason": "now"}, expect=201)
    events = (await server.get("/api/events", topics="checkpoint:*"))["events"]
    assert events[-1]["payload"]["eventType"] == "checkpoint.created"
    assert events[-1]["payload"]["data"]["checkpointId"] == made["checkpointId"]


async def test_a_stream_where_nobody_is_at_work_is_400(server: RunningServer) -> None:
    """H4: the original's status and its two keys."""
    await server.call("task_create", title="Pending", metadata={"streamId": "Stream-A"})
    for stream in ("Stream-A", "none"):
        problem = await server.post(f"/api/streams/{stream}/checkpoint", {}, expect=400)
        assert (problem["error"], problem["streamId"]) == ("No in-progress task found for stream", stream)


@pytest.mark.parametrize(
    ("body", "field"),
    [({"trigger": "nonsense"}, "trigger"), ({"trigger": 5}, "trigger"), ({"reason": 5}, "reason"), ({"x": 1}, "x")],
)
async def test_a_bad_option_is_400_and_names_it(server: RunningServer, task: str, body: Any, field: str) -> None:
    """The original answered 500 to a bad trigger; now nothing is saved."""
    head = (await server.get("/health"))["seq"]
    problem = await server.post(PATH, body, expect=400)
    assert problem["field"] == field
    assert (await server.get("/health"))["seq"] == head


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (["Content-Type: text/plain"], b'{"trigger":"error"}', 415),
        (["Content-Type: application/x-www-form-urlencoded"], b"trigger=error", 415),
        (["Content-Type: application/x-www-form-urlencoded", "Content-Length: 0"], b"", 415),
        ([], b'{"trigger":"error"}', 415),
        (["Content-Type: application/json", "Content-Length: 0"], b"", 400),
        (["Content-Type: application/json"], b"[]", 400),
        (["Content-Type: application/octet-stream"], b"{}", 415),
        (["Content-Type: application/octet-stream", "Content-Length: 0"], b"", 201),
        (["Content-Length: 0"], b"", 201),
    ],
    ids=repr,
)
async def test_only_json_or_nothing_is_taken(
    server: RunningServer, task: str, headers: list[str], body: bytes, status: int
) -> None:
    """H5: what a form of a web page can send is refused."""
    data = request("POST", PATH, *headers, body=body, host=f"localhost:{server.port}")
    assert (await raw(server.port, data)).status == status
