"""GET /openapi.json says what there is, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest

from taskcopilot.tools.table import REGISTRY
from taskcopilot.web.routes.description import TABLE
from tests.helpers.server import RunningServer

TOOLS = "/api/tools/{tool}"


@pytest.fixture
async def document(server: RunningServer) -> dict[str, Any]:
    """The description, as a client gets it."""
    return await server.get("/openapi.json")


def registered(server: RunningServer) -> set[tuple[str, str]]:
    """Return (method, path) of everything that the application serves, HEAD aside."""
    return {
        (route.method, route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


def described(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (method, path) of everything in the description."""
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item}


async def test_every_route_is_described_and_every_described_route_is_there(
    server: RunningServer, document: dict[str, Any]
) -> None:
    """Paths that only old clients use are described under their usual name, each tool has its own, `/mcp` none."""
    aliases = {(route.method, path) for route in server.app[TABLE] for path in route.also}
    of_tools = {("POST", TOOLS.format(tool=tool.name)) for tool in REGISTRY}
    assert described(document) == registered(server) - aliases - {("POST", TOOLS), ("*", "/mcp")} | of_tools


async def test_the_document_is_sound(document: dict[str, Any]) -> None:
    """Every reference leads somewhere, every path parameter is described, every operation has its own id."""
    assert document["openapi"] == "3.1.0"
    for reference in re.findall(r"'\$ref': '#/([^']+)'", str(document)):
        target: Any = document
        for part in reference.split("/"):
            target = target[part]
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for path, item in document["paths"].items():
        for operation in item.values():
            named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert operation["summary"]


async def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    """H4: and the guard's refusals are described everywhere."""
    for path, item in document["paths"].items():
        for operation in item.values():
            assert {"403", "421"} <= set(operation["responses"]), path
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


async def test_each_tool_shows_its_own_schemas(document: dict[str, Any]) -> None:
    """H3: what a client generator needs."""
    operation = document["paths"]["/api/tools/task_create"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][body.rpartition("/")[2]]
    assert schema["required"] == ["title"]
    assert {"title", "prdId", "idempotencyKey"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
