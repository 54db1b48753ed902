"""The tools over HTTP (promises H3, H4, H6, D7)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from taskcopilot.errors import ClaimedError, OutcomeUnknownError, StoreBusyError, StoreFullError
from taskcopilot.tools.table import REGISTRY
from tests.helpers.server import RunningServer

CREATE = "/api/tools/task_create"


async def test_every_tool_is_listed_with_what_a_caller_needs(server: RunningServer) -> None:
    """H3: in the stable order of the registry."""
    cards = (await server.get("/api/tools"))["tools"]
    assert [card["name"] for card in cards] == [tool.name for tool in REGISTRY]
    for card in cards:
        assert list(card) == ["name", "description", "inputSchema", "outputSchema", "annotations"]
        assert card["description"]
        assert card["inputSchema"]["type"] == "object"
    by_name = {card["name"]: card for card in cards}
    assert by_name["task_get"]["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
    }
    assert by_name["task_create"]["annotations"]["readOnlyHint"] is False


async def test_a_tool_takes_its_arguments_as_the_body_and_answers_its_output(server: RunningServer) -> None:
    """H3."""
    created = await server.post(CREATE, {"title": "Ship it"})
    assert list(created) == ["id", "status", "createdAt"]
    got = await server.post("/api/tools/task_get", {"id": created["id"]})
    assert got["title"] == "Ship it"
    assert [task["id"] for task in await server.post("/api/tools/task_list", {})] == [created["id"]]


async def test_an_unknown_tool_is_404_whatever_the_body(server: RunningServer) -> None:
    """H4: `field` names the part of the path."""
    problem = await server.post("/api/tools/no_such_tool", {}, expect=404)
    assert (problem["code"], problem["field"]) == ("NOT_FOUND", "tool")
    assert "no_such_tool" in problem["error"]


async def test_a_bad_argument_is_400_names_the_field_and_changes_nothing(server: RunningServer) -> None:
    """H4: missing, unknown, of the wrong type, out of range."""
    bad = [
        ({}, "title"),
        ({"title": 5}, "title"),
        ({"title": ""}, "title"),
        ({"title": "a", "nonsense": 1}, "nonsense"),
        ({"title": "a", "metadata": []}, "metadata"),
    ]
    for body, field in bad:
        problem = await server.post(CREATE, body, expect=400)
        assert (problem["code"], problem["field"]) == ("INVALID_ARGUMENT", field)
    assert (await server.get("/health"))["seq"] == 0


async def test_an_unknown_id_is_404_names_the_field_and_changes_nothing(server: RunningServer) -> None:
    """H4."""
    problem = await server.post(CREATE, {"title": "a", "parentId": "TASK-none"}, expect=404)
    assert (problem["code"], problem["field"]) == ("NOT_FOUND", "parentId")
    assert (await server.get("/health"))["seq"] == 0


async def test_a_call_repeated_with_its_key_is_made_once(server: RunningServer) -> None:
    """H6: also when both are under way at the same time."""
    body = {"title": "Once", "idempotencyKey": "key-1"}
    answers = await asyncio.gather(*(server.post(CREATE, body) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await server.call("task_list")) == 1
    problem = await server.post(CREATE, body | {"title": "Twice"}, expect=409)
    assert (problem["code"], problem["field"]) == ("IDEMPOTENCY_CONFLICT", "idempotencyKey")


async def test_the_socket_has_the_events_before_the_caller_has_the_answer(server: RunningServer) -> None:
    """D7."""
    async with server.http.ws_connect("/ws") as socket:
        await socket.send_json({"type": "subscribe", "payload": {"topics": ["task:*"]}})
        await socket.receive_json()
        created = await server.post(CREATE, {"title": "Ship it"})
        event = await socket.receive_json()
    assert event["payload"]["topic"] == f"task:{created['id']}"


async def test_errors_of_the_store_have_their_status_and_say_when_to_come_back(serve) -> None:
    """H4: the codes of the table, with the details of each."""
    errors = [
        (StoreBusyError("busy"), 503, {}),
        (StoreFullError("full"), 507, {}),
        (OutcomeUnknownError("unknown"), 500, {}),
        (ClaimedError("taken", holder="me", leaseExpiresAt="later", status="x"), 409, {"holder": "me"}),
    ]

    def failing(error: Exception) -> web.RouteDef:
        async def fail(request: web.Request) -> web.Response:
            raise error

        return web.get(f"/fail/{error.code}", fail)

    server = await serve(routes=[failing(error) for error, _, _ in errors])
    for error, status, details in errors:
        async with server.http.get(f"/fail/{error.code}") as response:
            assert response.status == status
            assert response.headers.get("Retry-After") == ("1" if status == 503 else None)
            problem = await response.json(content_type=None)
        assert problem | details == problem
        assert (problem["code"], problem["status"], problem["detail"]) == (error.code, status, error.message)
