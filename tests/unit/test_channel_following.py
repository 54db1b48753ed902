"""What a channel makes of a bridge that does not let it follow."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from taskcopilot.channel.following import Follower
from taskcopilot.channel.wish import Wish
from taskcopilot.clock import SystemClock
from tests.helpers.waiting import until


@pytest.mark.parametrize(
    ("status", "refusal", "told"),
    [(401, None, "the token in TASKCOPILOT_TOKEN is not good"), (200, "Show a token", "Show a token")],
    ids=["a token that is not good", "no token"],
)
async def test_a_refusal_is_told_once_and_asked_about_again(
    aiohttp_server, caplog: pytest.LogCaptureFixture, status: int, refusal: str | None, told: str
) -> None:
    """It is not called a bridge that is not there; and the token is shown each time."""
    shown: list[str | None] = []

    async def health(request: web.Request) -> web.Response:
        shown.append(request.headers.get("Authorization"))
        return web.json_response({"workspace": "w"}, status=status)

    async def refuse(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await socket.send_json({"type": "error", "payload": {"code": "WS_UNAUTHORIZED", "message": refusal}})
        await socket.receive()
        return socket

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/ws", refuse)])
    server = await aiohttp_server(app)
    wish = Wish(str(server.make_url("")).rstrip("/"), "w", ["*"], ["*"], "secret")
    following = asyncio.create_task(anext(Follower(wish, SystemClock(), None).heard()))
    await until(lambda: len(shown) > 2, "a third try")
    following.cancel()
    await asyncio.wait({following})
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("taskcopilot")]
    assert len(messages) == 1
    assert f"refuses: {told}" in messages[0]
    assert set(shown) == {"Bearer secret"}
    assert "secret" not in messages[0]
