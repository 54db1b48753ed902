"""Every limit is crossed: who crosses it is told so, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web import entrance
from taskcopilot.web.crowd import Crowd, WriteRates
from taskcopilot.web.keys import CROWD, HUB
from tests.helpers.raw import RawAnswer, raw, read_answer, request
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until

JSON = "Content-Type: application/json"


def ask(server: RunningServer, method: str = "GET", target: str = "/health", *headers: str, body: bytes = b"") -> bytes:
    return request(method, target, *headers, body=body, host=f"localhost:{server.port}")


async def connect(server: RunningServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and have a request answered, so that it is surely in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(ask(server))
    assert (await read_answer(reader)).status == 200
    return reader, writer


async def listener(server: RunningServer) -> aiohttp.ClientWebSocketResponse:
    socket = await server.http.ws_connect("/ws", autoping=False)
    await socket.send_json({"type": "subscribe", "id": 1, "payload": {"topics": ["task:*"]}})
    assert (await socket.receive_json(timeout=DEADLINE))["type"] == "subscribed"
    return socket


async def hears(server: RunningServer, socket: aiohttp.ClientWebSocketResponse) -> bool:
    await server.call("task_create", title="still there")
    return (await socket.receive_json(timeout=DEADLINE))["type"] == "event"


@contextlib.asynccontextmanager
async def crowded(serve, **settings: Any) -> AsyncIterator[tuple[RunningServer, asyncio.StreamWriter]]:
    """A bridge with room for two connections: a listener, and one that is idle; both have it all to the end."""
    server = await serve(**settings)
    socket = await listener(server)
    reader, writer = await connect(server)
    yield server, writer
    assert await hears(server, socket)
    if not writer.is_closing():
        writer.write(ask(server))
        assert (await read_answer(reader)).status == 200
        writer.close()


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_address"])
async def test_one_connection_too_many_is_turned_away_and_nobody_else_notices(serve, limit: str) -> None:
    """503 with the name of the setting, before anything is read; those inside go on."""
    async with crowded(serve, **{limit: 2}) as (server, _):
        for data in (ask(server), ask(server, "POST", "/api/tools/task_list", JSON, body=b"{}"), b"\r\n\r\n"):
            answer = await raw(server.port, data)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"
            problem = answer.json()
            assert (problem["code"], problem["status"]) == ("TOO_MANY_CONNECTIONS", 503)
            assert f"--{limit.replace('_', '-')})" in problem["detail"]
        assert server.app[CROWD].refused == {limit: 3}
        assert server.app[CROWD].inside == 2


async def test_a_place_that_is_given_up_is_free_again(serve) -> None:
    """Whoever leaves makes room for the next one; the count returns to zero."""
    async with crowded(serve, max_connections=2) as (server, writer):
        writer.close()
        await until(lambda: server.app[CROWD].inside == 1, "the place being free")
        for _ in range(5):
            assert (await raw(server.port, ask(server))).status == 200
            await until(lambda: server.app[CROWD].inside == 1, "the place being free")


async def test_a_socket_that_finds_no_place_is_told_so_by_status(serve) -> None:
    """A WebSocket handshake gets the 503, not a connection that dies."""
    async with crowded(serve, max_connections=2) as (server, _), aiohttp.ClientSession() as other:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await other.ws_connect(server.ws_url)
        assert caught.value.status == 503


async def test_a_crowd_that_is_turned_away_is_bounded_itself(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are told why; beyond that they are cut off without a word, and those inside go on."""
    monkeypatch.setattr(entrance, "_LEAVING", 3)
    async with crowded(serve, max_connections=2) as (server, _):
        pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(6)]
        async with asyncio.timeout(DEADLINE):
            heard = [await taken(reader) for reader, _ in pairs]
        for _, writer in pairs:
            writer.close()
        assert [answer[:12] for answer in heard] == [b"HTTP/1.1 503"] * 3 + [b""] * 3


async def taken(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, or to a reset."""
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


def test_addresses_are_counted_apart() -> None:
    """One address that is full keeps no other out, and leaves nothing behind."""
    crowd = Crowd(3, 2)
    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a")] == [None, None, "max_connections_per_address"]
    assert [crowd.enter("b"), crowd.enter("c")] == [None, "max_connections"]
    for address in ("a", "a", "b"):
        crowd.leave(address)
    assert (crowd.inside, dict(crowd._of)) == (0, {})


async def test_too_many_messages_are_refused_and_then_the_connection_is_closed(serve) -> None:
    """R7: first errors with the request's id, which change nothing; then 4429. Others go on."""
    server = await serve(max_message_rate=4)
    fast, calm = await listener(server), await listener(server)
    for number in range(20):
        await fast.send_json({"type": "subscribe", "id": number, "payload": {"topics": [f"stream:{number}"]}})
    async with asyncio.timeout(DEADLINE):
        heard: list[dict[str, Any]] = [message.json() async for message in fast]
    assert [message["type"] for message in heard] == ["subscribed"] * 5 + ["error"] * 7
    assert {message["payload"]["code"] for message in heard[5:]} == {"WS_RATE_LIMIT"}
    assert [message["id"] for message in heard] == list(range(12))
    assert fast.close_code == 4429
    assert await hears(server, calm)
    await until(lambda: server.app[HUB].statistics().members == 1)


async def test_who_slows_down_is_read_again(serve) -> None:
    """R7: the bucket fills with time, on the monotonic clock."""
    server = await serve(max_message_rate=2)
    socket = await listener(server)
    kinds = []
    for _ in range(4):
        await socket.send_json({"type": "ping"})
        kinds.append((await socket.receive_json(timeout=DEADLINE))["type"])
    server.clock.advance(1)
    await socket.send_json({"type": "ping"})
    kinds.append((await socket.receive_json(timeout=DEADLINE))["type"])
    assert kinds == ["pong", "pong", "error", "error", "pong"]


async def test_a_flood_of_ping_frames_ends_the_connection(serve) -> None:
    """R7: control frames count too."""
    server = await serve(max_message_rate=4)
    socket = await listener(server)
    with contextlib.suppress(ConnectionError):
        for _ in range(40):
            await socket.ping()
    async with asyncio.timeout(DEADLINE):
        while (await socket.receive()).type is aiohttp.WSMsgType.PONG:
            pass
    assert socket.close_code == 4429


async def test_a_message_above_the_limit_closes_with_1009(serve) -> None:
    """C4: one byte below the limit is read."""
    server = await serve(max_message=1_000)
    socket = await listener(server)
    await socket.send_str('{"type":"ping"}'.ljust(999))
    assert (await socket.receive_json(timeout=DEADLINE))["type"] == "pong"
    await socket.send_str('{"type":"ping"}'.ljust(1_001))
    assert (await socket.receive(timeout=DEADLINE)).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == 1009


async def test_too_many_patterns_are_refused(serve) -> None:
    """R3."""
    server = await serve(max_patterns=1)
    socket = await listener(server)
    await socket.send_json({"type": "subscribe", "id": 2, "payload": {"topics": ["stream:*"]}})
    assert (await socket.receive_json(timeout=DEADLINE))["payload"]["code"] == "WS_SUBSCRIPTION_LIMIT"


async def test_too_many_changes_a_second_are_429_and_reading_goes_on(serve) -> None:
    """429 with Retry-After, nothing is changed; time makes it good."""
    server = await serve(max_write_rate=2)
    answers = [await raw(server.port, ask(server, "POST", "/api/tools/task_list", JSON, body=b"{}")) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].json()["code"] == "TOO_MANY_REQUESTS"
    assert answers[2].json()["retryAfter"] == 1
    assert (await server.get("/api/tasks"))["tasks"] == []
    server.clock.advance(0.5)
    await server.post("/api/tools/task_list", {})


async def test_the_rate_is_asked_before_the_body_is_read(serve) -> None:
    """Who is too fast costs no more than headers."""
    server = await serve(max_write_rate=1)
    await server.post("/api/tools/task_list", {})
    answer = await raw(server.port, ask(server, "POST", "/api/tools/task_list", JSON, "Content-Length: 1000000"))
    assert answer.status == 429


def test_the_rates_of_addresses_are_bounded_and_forgotten() -> None:
    """A hundred thousand addresses leave a bounded table, and time empties it."""
    rates = WriteRates(1)
    for number in range(100_000):
        rates.wait(f"address {number}", 0.0)
    assert len(rates) == 4_096
    for _ in range(5_000):
        rates.wait("one", 10.0)
    assert len(rates) == 1
    assert rates.wait("one", 10.0) > 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(f"GET /{'a' * 300} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), id="request line"),
        pytest.param(f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'a' * 300}\r\n\r\n".encode(), id="header"),
    ],
)
async def test_headers_above_the_limit_are_400(serve, data: bytes) -> None:
    """The same request within the limit is answered otherwise."""
    server = await serve(max_header=200)
    assert (await raw(server.port, data)).status == 400
    assert (await raw(server.port, data.replace(b"a" * 200, b""))).status in {404, 421}


@pytest.mark.parametrize(
    "start", [b"", b"GET /health HTTP/1.1\r\nHost: loc", b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConn"]
)
async def test_a_handshake_that_stalls_is_cut_off(serve, start: bytes) -> None:
    """Nothing at all, half a request, half an upgrade."""
    server = await serve(header_timeout=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(start)
    async with asyncio.timeout(DEADLINE):
        assert await reader.read() == b""
    writer.close()


async def test_a_handshake_that_drips_is_cut_off(serve) -> None:
    """A byte now and then wins no time."""
    server = await serve(header_timeout=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /health HTTP/1.1\r\nX: ")
    over = asyncio.create_task(reader.read())
    async with asyncio.timeout(DEADLINE):
        while not over.done():
            writer.write(b"G")
            await asyncio.wait({over}, timeout=0.02)
    with contextlib.suppress(ConnectionError):  # the last drop may have met a closed door
        assert over.result() == b""
    writer.close()


async def test_a_body_that_stalls_is_408_after_the_time_of_the_setting(serve) -> None:
    """The rest of a body is waited for as long as the setting says."""
    server = await serve(body_timeout=3)
    call = asyncio.create_task(
        raw(server.port, ask(server, "POST", "/api/tools/task_list", JSON, "Content-Length: 100") + b"{")
    )
    await until(lambda: server.clock.sleeping(3.0), "the server reading the body")
    server.clock.advance(3)
    answer: RawAnswer = await call
    assert (answer.status, answer.json()["code"]) == (408, "REQUEST_TIMEOUT")
    assert "3 seconds" in answer.json()["detail"]


async def test_bodies_above_size_and_depth_are_refused(serve) -> None:
    """H5, by the settings."""
    server = await serve(max_body=100, max_json_depth=3)
    problem = await server.post("/api/tools/task_list", {"x": "y" * 100}, expect=413)
    assert problem["code"] == "PAYLOAD_TOO_LARGE"
    problem = await server.post("/api/tools/task_list", {"a": [[[1]]]}, expect=400)
    assert "deeper than 3 levels" in problem["detail"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_connections", "0"),
        ("max_connections_per_address", "-1"),
        ("max_message_rate", "nan"),
        ("max_write_rate", "0"),
        ("max_json_depth", "65"),
        ("header_timeout", "inf"),
        ("body_timeout", "soon"),
        ("max_header", "1.5"),
    ],
)
def test_a_limit_that_is_none_is_refused(name: str, text: str) -> None:
    """The error names the variable."""
    variable = f"TASKCOPILOT_{name.upper()}"
    with pytest.raises(InvalidArgumentError) as caught:
        Settings.load({}, {variable: text})
    assert caught.value.field == variable
