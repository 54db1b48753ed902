"""Who is let in, with which token, how it is shown, and for how long."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.keys import DOOR
from tests.helpers.dialects import open_house
from tests.helpers.server import RunningServer
from tests.helpers.tokens import Talker, Tokens, bearer
from tests.helpers.waiting import until
from tests.integration.conftest import Serve

NONSENSE = "nonsense"
PATHS = ["/api/tasks", "/api/events", "/api/events/stream", "/api/tools", "/openapi.json", "/metrics", "/nowhere"]


async def status(
    server: RunningServer, path: str, token: str | None = None, method: str = "GET", **options: Any
) -> int:
    """Return the status of an answer."""
    headers = {} if token is None else bearer(token)
    async with server.http.request(method, path, headers=headers, **options) as response:
        return response.status


async def after(server: RunningServer, seconds: int) -> None:
    """Let seconds go by, one by one, and what is due in each of them happen."""
    for _ in range(seconds):
        looks = server.app[DOOR].looks
        server.clock.advance(1)
        await until(lambda looks=looks: server.app[DOOR].looks > looks, "the doorkeeper looked")


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_told_without_a_token(guarded: RunningServer, tokens: Tokens, path: str) -> None:
    """A2: 401, whatever the path; an upgrade that is none opens nothing."""
    good = await tokens.make("read")
    assert await status(guarded, path) == 401
    assert await status(guarded, path, "nonsense") == 401
    assert await status(guarded, path, good[:-1] + ("A" if good[-1] != "A" else "B")) == 401
    async with guarded.http.get(path, headers={"Upgrade": "websocket", "Connection": "Upgrade"}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if path != "/api/events/stream":
        assert await status(guarded, path, good) in (200, 404)


async def test_the_page_and_the_health_are_open(guarded: RunningServer) -> None:
    """A2: the page asks for a token, and health checkers have none."""
    for path in ("/", "/dashboard/main.js", "/health"):
        assert await status(guarded, path) == 200, path
    assert await status(guarded, "/", method="POST") == 401


async def test_a_socket_may_show_its_token_in_three_ways(guarded: RunningServer, tokens: Tokens) -> None:
    """A3: a header, an offered subprotocol that is never answered, a first message."""
    token = await tokens.make("read")
    header = await Talker.connect(guarded, headers=bearer(token))
    offered = await Talker.connect(guarded, protocols=["taskcopilot", f"bearer.{token}"])
    silent = await Talker.connect(guarded, protocols=[f"bearer.{token}"])
    message = await Talker.connect(guarded)
    assert (await message.ask("subscribe", topics=["*"]))["payload"]["code"] == "WS_UNAUTHORIZED"
    assert (await message.ask("auth", token=NONSENSE))["payload"]["code"] == "WS_UNAUTHORIZED"
    answer = await message.ask("auth", token=token)
    assert answer["payload"] == {"scopes": ["read"], "topics": ["*"], "expiresAt": None}
    for talker in (header, offered, silent, message):
        assert (await talker.ask("subscribe", topics=["*"]))["type"] == "subscribed"
    assert (offered.socket.protocol, silent.socket.protocol) == ("taskcopilot", None)


async def test_who_shows_no_token_is_closed(guarded: RunningServer) -> None:
    """A2: with 4401 after five seconds; pings are no tokens."""
    talker = await Talker.connect(guarded)
    assert (await talker.ask("ping"))["type"] == "pong"
    await after(guarded, 6)
    assert await talker.closed() == 4401


async def test_the_time_to_show_a_token_is_a_setting(serve: Serve) -> None:
    """A2: as long as it says, and no longer."""
    server = await serve(auth=("token",), auth_timeout=20)
    talker = await Talker.connect(server)
    await after(server, 19)
    assert (await talker.ask("ping"))["type"] == "pong"
    await after(server, 2)
    assert await talker.closed() == 4401


@pytest.mark.parametrize("name", ["token", "access_token", "TOKEN"])
async def test_a_token_in_an_address_is_refused(guarded: RunningServer, tokens: Tokens, name: str) -> None:
    """A3: also a good one, and beside a good one in the header."""
    token = await tokens.make("read")
    for path in ("/api/tasks", "/ws", "/health"):
        assert await status(guarded, f"{path}?{name}={token}", token) == 400


async def test_two_tokens_are_one_too_many(guarded: RunningServer, tokens: Tokens) -> None:
    """A3: which of them would count?"""
    token = await tokens.make("read")
    headers = {**bearer(token), "Sec-WebSocket-Protocol": f"bearer.{token}"}
    async with guarded.http.get("/api/tasks", headers=headers) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["read"], (200, 403, 403)), (["write"], (403, 200, 403)), (["admin"], (200, 200, 200))],
)
async def test_scopes_gate_routes_and_tools(
    guarded: RunningServer, tokens: Tokens, scopes: list[str], expected: tuple[int, ...]
) -> None:
    """A6: reading, changing, deleting."""
    token = await tokens.make(*scopes)
    assert await status(guarded, "/api/tasks", token) == expected[0]
    for place, (tool, body) in enumerate(
        [("task_list", {}), ("task_create", {"title": "x"}), ("checkpoint_cleanup", {"taskId": None})]
    ):
        found = await status(guarded, f"/api/tools/{tool}", token, "POST", json=body)
        assert (found == 403) == (expected[place] == 403), (tool, found)
    talker = await Talker.connect(guarded, headers=bearer(token))
    answer = await talker.ask("subscribe", topics=["*"])
    assert (answer["type"] == "subscribed") == (expected[0] == 200), answer


async def test_a_token_that_expires_ends_its_socket(guarded: RunningServer, tokens: Tokens) -> None:
    """A9: a warning thirty seconds before, 4401 at the end; a stream of events ends too."""
    token = await tokens.make("read", life=timedelta(seconds=40))
    talker = await Talker.connect(guarded, headers=bearer(token))
    await after(guarded, 11)
    warning = await talker.hear()
    assert (warning["type"], warning["payload"]["reason"]) == ("auth_expiring", "expires")
    async with guarded.http.get("/api/events/stream", headers=bearer(token)) as stream:
        await stream.content.readany()
        await after(guarded, 31)
        assert await talker.closed() == 4401
        await stream.content.read()
    assert await status(guarded, "/api/tasks", token) == 401


async def test_a_revoked_token_ends_its_socket(guarded: RunningServer, tokens: Tokens) -> None:
    """A9, A10: told at once, closed within five seconds; good for nothing from then on."""
    token = await tokens.make("read")
    talker = await Talker.connect(guarded, headers=bearer(token))
    await talker.ask("subscribe", topics=["*"])
    await tokens.revoke(token)
    await after(guarded, 5)
    assert (await talker.hear())["payload"] == {"reason": "revoked", "expiresAt": None}
    assert await talker.closed() == 4401
    assert await status(guarded, "/api/tasks", token) == 401


async def test_a_fresh_token_goes_on_without_a_loss(guarded: RunningServer, tokens: Tokens) -> None:
    """A9: after the warning, on the same socket, with the same subscriptions."""
    token, fresh = await tokens.make("read", life=timedelta(seconds=40)), await tokens.make("read")
    talker = await Talker.connect(guarded, headers=bearer(token))
    await talker.ask("subscribe", topics=["*"])
    await after(guarded, 11)
    assert (await talker.hear())["type"] == "auth_expiring"
    assert (await talker.ask("auth", token=fresh))["type"] == "authenticated"
    await after(guarded, 40)
    made = await guarded.call("task_create", title="x")
    assert [each["payload"]["topic"] for each in await talker.rest() if each["type"] == "event"] == [
        f"task:{made['id']}"
    ]


async def test_revoking_survives_a_restart(serve: Serve, tmp_path: Path) -> None:
    """A10: it is in the database, with the hash and without the token."""
    first = await serve(auth=("token",))
    tokens = Tokens(first)
    good, bad = await tokens.make("read"), await tokens.make("read")
    await tokens.revoke(bad)
    second = await serve(auth=("token",))
    assert (await status(second, "/api/tasks", good), await status(second, "/api/tasks", bad)) == (200, 401)
    stored = await asyncio.to_thread(lambda: b"".join(file.read_bytes() for file in tmp_path.iterdir()))
    assert good[4:14].encode() in stored
    assert good[15:].encode() not in stored


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "bridge.example", ""])
async def test_an_open_address_needs_authentication(serve: Serve, host: str) -> None:
    """A1: and the error says how to go on."""
    with pytest.raises(InvalidArgumentError, match=r"--auth token.*taskcopilot token create") as refused:
        await serve(host=host)
    assert refused.value.field == "--host"


async def test_with_authentication_an_open_address_is_fine(serve: Serve) -> None:
    """A1: reached by loopback here."""
    server = await serve(host="0.0.0.0", auth=("token",))
    assert await status(server, "/health") == 200


async def test_without_authentication_nobody_is_asked(serve: Serve) -> None:
    """A2: a token that is shown all the same is not looked at, and an auth message is answered."""
    server = await serve()
    assert await status(server, "/api/tasks?token=x", "whatever") == 200
    talker = await Talker.connect(server, protocols=["bearer.whatever"])
    assert (await talker.ask("auth", token=NONSENSE))["payload"]["scopes"] == ["admin", "read", "write"]


async def test_no_token_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A4: at the level debug of every library, good ones and bad ones, wherever they are shown."""
    caplog.set_level(logging.DEBUG)
    server = await serve(
        auth=("token", "jwt"),
        jwt_algorithms=("HS256",),
        jwt_secret="canary-secret-" * 4,
        jwt_issuer="us",
        jwt_audience="bridge",
    )
    good, canary = await Tokens(server).make("read"), "tcb_canary_canary"
    for token in (good, canary, f"{canary}.x.y"):
        await status(server, "/api/tasks", token)
        await status(server, f"/api/tasks?token={token}")
        await status(server, "/api/tools/task_get", token, "POST", json={"id": 7})
        talker = await Talker.connect(server)
        await talker.ask("auth", token=token)
        await talker.ask("auth", token=[token])
        for offers in ([f"bearer.{token}"], ["other", f"bearer.{token}"], ["taskcopilot", f"bearer.{token}"]):
            async with server.http.get(
                "/ws", headers={"Upgrade": "websocket", "Sec-WebSocket-Protocol": ", ".join(offers)}
            ):
                pass
        if token == good:
            await Talker.connect(server, protocols=[f"bearer.{token}"])
    assert caplog.records
    assert not [line for line in caplog.messages if "canary" in line or good[15:] in line]


async def test_the_metrics_of_a_services_port_need_a_token_that_reads_all(tmp_path: Path) -> None:
    """A2, A8: counts only, and of everybody; the health is open there too."""
    async with open_house(tmp_path, auth=("token",)) as house:
        tokens = Tokens(house.server)
        base = house.addresses["mahavishnu"].replace("ws", "http", 1)
        shown = (None, await tokens.make("write"), await tokens.make(topics=["stream:A"]), await tokens.make())
        assert [await status(house.server, f"{base}/metrics", token) for token in shown] == [401, 403, 403, 200]
        assert await status(house.server, f"{base}/health") == 200
