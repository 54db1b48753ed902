"""The ASGI bridge under `/mcp`: what an ASGI application may rely on within a handler of aiohttp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from taskcopilot.web.asgi import Application, respond
from tests.helpers.server import running_server
from tests.helpers.waiting import DEADLINE, settle, until
from tests.integration.conftest import Serve

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def at(application: Application) -> list[web.RouteDef]:
    """Serve an application at `/asgi`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await respond(application, request, await request.read(), {"who": "me"})

    return [web.route("*", "/asgi", handle)]


async def whole(send: Send, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    """Send an answer of known length."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def test_a_request_arrives_and_its_answer_goes_out(serve: Serve) -> None:
    """Method, path, query, headers in lower case, state and body; status and every header, the repeated ones too."""
    seen: list[Any] = []

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        seen.extend([scope, await receive()])
        await whole(send, b"hello", (b"x-two", b"1"), (b"x-two", b"2"), (b"connection", b"close"), status=201)

    server = await serve(routes=at(application))
    async with server.http.put("/asgi?a=%20b", data=b"body", headers={"X-Mine": "7"}) as response:
        assert (response.status, await response.read()) == (201, b"hello")
        assert response.headers.getall("X-Two") == ["1", "2"]
        assert "Connection" not in response.headers
    scope, message = seen
    assert message == {"type": "http.request", "body": b"body", "more_body": False}
    assert (scope["method"], scope["path"], scope["query_string"]) == ("PUT", "/asgi", b"a=%20b")
    assert (b"x-mine", b"7") in scope["headers"]
    assert scope["state"] == {"who": "me"}


async def test_who_asks_for_more_waits_until_the_peer_has_gone(serve: Serve) -> None:
    """The body comes once; asked again, it neither repeats nor spins, and everybody else is served meanwhile."""
    messages: list[str] = []

    async def application(_scope: Any, receive: Receive, _send: Send) -> None:
        while not messages or messages[-1] != "http.disconnect":
            messages.append((await receive())["type"])

    server = await serve(routes=at(application))
    async with aiohttp.ClientSession(server.url) as leaving:
        request = asyncio.ensure_future(leaving.post("/asgi", data=b"x"))
        await until(lambda: messages)
        await server.get("/health")
        await settle()
        assert messages == ["http.request"]
        request.cancel()
        await asyncio.wait({request})
    await until(lambda: len(messages) == 2)
    assert messages == ["http.request", "http.disconnect"]


async def test_the_head_of_a_stream_goes_out_at_once(serve: Serve) -> None:
    """Also when its first event is long in coming: a client waits for the head before it goes on."""
    go = asyncio.Event()

    async def application(_scope: Any, _receive: Receive, send: Send) -> None:
        kind = (b"content-type", b"text/event-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [kind]})
        await go.wait()
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    server = await serve(routes=at(application))
    async with server.http.get("/asgi") as response:
        assert response.content_type == "text/event-stream"
        go.set()
        assert await response.read() == b"data: 1\n\n"


async def test_the_end_of_the_server_ends_streams(tmp_path: Path) -> None:
    """With a stream open the bridge is down in no time: the application is told at once (promise C5)."""
    told = asyncio.Event()

    async def application(_scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        told.set()

    async with aiohttp.ClientSession() as client:
        async with running_server(tmp_path, routes=at(application)) as server:
            response = await client.get(f"{server.url}/asgi")
            began = time.monotonic()
        assert time.monotonic() - began < DEADLINE / 4
        assert told.is_set()
        assert await response.read() == b""


async def test_who_says_nothing_at_the_end_answers_503(tmp_path: Path) -> None:
    """A request that the end of the server cut short was not answered, and can be sent to the next one."""

    async def application(_scope: Any, receive: Receive, _send: Send) -> None:
        received.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    received = asyncio.Event()
    async with aiohttp.ClientSession() as client:
        async with running_server(tmp_path, routes=at(application)) as server:
            request = asyncio.ensure_future(client.post(f"{server.url}/asgi"))
            await received.wait()
        assert (await request).status == 503


async def test_a_defect_before_the_answer_is_a_500(serve: Serve) -> None:
    """The application raises: the caller gets a problem like any other."""

    async def application(_scope: Any, _receive: Receive, _send: Send) -> None:
        raise ValueError("a defect")

    server = await serve(routes=at(application))
    assert (await server.get("/asgi", expect=500))["code"] == "INTERNAL"


async def test_a_defect_amid_a_stream_cuts_it(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Not a second answer within the first one, and no end that looks like a good one."""

    async def application(_scope: Any, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("a defect")

    server = await serve(routes=at(application))
    with pytest.raises(aiohttp.ClientError):
        async with server.http.get("/asgi") as response:
            await response.read()
    assert "an answer of /asgi broke off" in caplog.text
