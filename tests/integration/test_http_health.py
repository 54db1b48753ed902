"""GET /health, and what every route shares."""

from __future__ import annotations

import os

from tests.helpers.server import RunningServer


async def test_health_tells_who_answers_and_up_to_where(server: RunningServer) -> None:
    """Another process learns from it whose bridge this is."""
    await server.call("task_create", title="One")
    health = await server.get("/health")
    assert health["status"] == "ok"
    assert health["timestamp"] == "2026-01-08T12:00:00.001Z"
    assert health["service"] == "taskcopilot"
    assert health["ready"] is True
    assert (health["epoch"], health["seq"]) == (server.core.recorder.epoch, 1)
    assert (health["pid"], health["workspace"]) == (os.getpid(), server.core.workspace.id)


async def test_head_is_answered_like_get_without_a_body(server: RunningServer) -> None:
    """The original answers HEAD wherever it answers GET."""
    async with server.http.head("/health") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert await response.read() == b""


async def test_an_unknown_route_keeps_the_three_keys_of_the_original(server: RunningServer) -> None:
    """H4: the original's keys stand beside those of the problem."""
    async with server.http.get("/api/nothing?x=1") as response:
        assert response.content_type == "application/problem+json"
        problem = await response.json(content_type=None)
    assert problem["message"] == "Route GET:/api/nothing?x=1 not found"
    assert (problem["error"], problem["statusCode"]) == ("Not Found", 404)
    assert (problem["status"], problem["code"]) == (404, "NOT_FOUND")


async def test_a_method_that_a_route_does_not_have_is_405(server: RunningServer) -> None:
    """H4, and the answer names the methods that there are."""
    async with server.http.delete("/health") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"
        assert (await response.json(content_type=None))["code"] == "METHOD_NOT_ALLOWED"


async def test_the_socket_path_without_an_upgrade_is_404(server: RunningServer) -> None:
    """C1."""
    problem = await server.get("/ws", expect=404)
    assert problem["message"] == "Route GET:/ws not found"


async def test_no_answer_opens_the_door_to_other_origins(server: RunningServer) -> None:
    """There are no CORS headers, not even for an origin of ours."""
    async with server.http.get("/health", headers={"Origin": server.url}) as response:
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]
