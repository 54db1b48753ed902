"""Tokens with one thing wrong, at every door: all are refused, and no answer tells one from another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.helpers.crafted_tokens import SETTINGS, crafted, crafted_tokens
from tests.helpers.server import RunningServer
from tests.helpers.tokens import Talker, bearer
from tests.integration.conftest import Serve

MCP = {"Accept": "application/json, text/event-stream"}
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
FIRST = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}

Door = Callable[[RunningServer, str], Awaitable[tuple[int, str]]]
"""Shows a token; returns the status, or the code of an error, and what was said."""


async def http(server: RunningServer, token: str) -> tuple[int, str]:
    async with server.http.get("/api/tasks", headers=bearer(token)) as response:
        return response.status, await response.text()


async def tool(server: RunningServer, token: str) -> tuple[int, str]:
    async with server.http.post("/api/tools/task_list", json={}, headers=bearer(token)) as response:
        return response.status, await response.text()


async def event_stream(server: RunningServer, token: str) -> tuple[int, str]:
    async with server.http.get("/api/events/stream", headers=bearer(token)) as response:
        return response.status, "" if response.status == 200 else await response.text()


async def mcp(server: RunningServer, token: str) -> tuple[int, str]:
    async with server.http.post("/mcp", json=FIRST, headers={**MCP, **bearer(token)}) as response:
        return response.status, await response.text()


async def upgrade(server: RunningServer, token: str) -> tuple[int, str]:
    return await _upgrade(server, headers=bearer(token))


async def upgrade_of_a_service(server: RunningServer, token: str) -> tuple[int, str]:
    return await _upgrade(server, path="/ws/mahavishnu", headers=bearer(token))


async def _upgrade(server: RunningServer, **options: Any) -> tuple[int, str]:
    try:
        await Talker.connect(server, **options)
    except aiohttp.WSServerHandshakeError as error:
        return error.status, str(error.headers and error.headers.get("WWW-Authenticate"))
    return 200, ""


async def first_message(server: RunningServer, token: str) -> tuple[int, str]:
    talker = await Talker.connect(server)
    answer = await talker.ask("auth", token=token)
    await talker.socket.close()
    return (200 if answer["type"] == "authenticated" else 401), str(answer["payload"])


DOORS: list[Door] = [http, tool, event_stream, mcp, upgrade, upgrade_of_a_service, first_message]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
async def test_every_crafted_token_is_refused_alike(serve: Serve, door: Door) -> None:
    """A2, A5: 401 with one body, whatever is wrong; the same token with nothing wrong opens the door."""
    server = await serve(**SETTINGS)
    now = int(server.clock.now().timestamp())
    tokens = crafted_tokens(now)
    assert len(tokens) >= 60
    assert (await door(server, crafted(now)))[0] == 200
    answers: dict[tuple[int, str], list[str]] = {}
    for name, token in tokens.items():
        answers.setdefault(await door(server, token), []).append(name)
    assert len(answers) == 1, answers
    ((status, said),) = answers
    assert status == 401
    assert "exp" not in said


async def test_a_token_of_another_server_or_of_none_is_refused_by_every_door(serve: Serve) -> None:
    """A5: with the settings of another audience, all that opened the doors before opens none."""
    server = await serve(**{**SETTINGS, "jwt_audience": "another"})
    good = crafted(int(server.clock.now().timestamp()))
    assert [(await door(server, good))[0] for door in DOORS] == [401] * len(DOORS)


async def test_the_description_says_how_to_show_a_token(serve: Serve) -> None:
    """A2, A3: a bearer scheme, and 401 among the answers of every operation."""
    server = await serve(**SETTINGS)
    good = bearer(crafted(int(server.clock.now().timestamp())))
    async with server.http.get("/openapi.json", headers=good) as response:
        document = await response.json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert "401" in document["components"]["responses"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "401" in operation["responses"], path
