"""SQL, paths and patterns in every text that is taken: values, and nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.tools.table import REGISTRY
from taskcopilot.web.routes.table import ROUTES
from tests.helpers.server import RunningServer

HOSTILE = [
    "'",
    "x'; DROP TABLE tasks; --",
    "b') from e union select sql from sqlite_master--",
    "x' OR '1'='1",
    '$."a" || (select sql from sqlite_master)',
    "%",
    "../../../../etc/passwd",
    "\\u0000",
]
QUERIES = [(route.path, parameter.name) for route in ROUTES for parameter in route.parameters if route.method == "GET"]
ENDLESS = "/api/events/stream"


def schema(file: Path) -> list[Any]:
    """Return what the database consists of."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_query_is_a_value(server: RunningServer, tmp_path: Path, text: str) -> None:
    """Every parameter of every route, and every part of a path: no more comes back, and nothing goes."""
    await server.call("task_create", title="kept", metadata={"streamId": "A"})
    before = schema(tmp_path / "tasks.db")
    paths = {route.path for route in ROUTES if route.method == "GET" and "{" in route.path}
    asked = [(path.replace("{", "").partition("}")[0], name) for path, name in QUERIES if path != ENDLESS]
    asked += [(path.partition("{")[0] + text.replace("/", "%2F").replace("%", "%25"), "") for path in paths]
    for path, name in asked:
        async with server.http.get(path, params={name: text} if name else {}) as response:
            said = await response.text()
        assert response.status < 500, (path, name, said)
        assert "CREATE TABLE" not in said
        assert "root:" not in said
        if response.ok and path == "/api/tasks" and name in ("status", "streamId", "initiativeId"):
            assert "kept" not in said
    assert schema(tmp_path / "tasks.db") == before
    assert len(await server.call("task_list")) == 1


@pytest.mark.parametrize("text", HOSTILE)
async def test_an_argument_is_a_value(server: RunningServer, tmp_path: Path, text: str) -> None:
    """Every text of every tool; where it is kept it comes back as it was."""
    before = schema(tmp_path / "tasks.db")
    for tool in REGISTRY:
        known = tool.input_schema()
        arguments = {
            name: text
            for name, each in known["properties"].items()
            if "string" in (each.get("type"), *(one.get("type") for one in each.get("anyOf", ())))
            and "enum" not in each
        }
        async with server.http.post(f"/api/tools/{tool.name}", json=arguments) as response:
            said = await response.text()
        assert response.status < 500, (tool.name, said)
        assert "CREATE TABLE" not in said
    created = await server.call("task_create", title=text, description=text)
    details = await server.call("task_get", id=created["id"])
    assert (details["title"], details["description"]) == (text, text)
    assert schema(tmp_path / "tasks.db") == before
