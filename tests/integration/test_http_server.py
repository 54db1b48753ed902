"""The server itself: the port, who holds it, bounded waiting, bounded shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from taskcopilot.errors import InvalidArgumentError, PortTakenError
from tests.helpers.raw import DEADLINE, raw, read_answer, request
from tests.helpers.server import RunningServer
from tests.helpers.waiting import until


@contextlib.asynccontextmanager
async def stranger(answer: bytes) -> AsyncIterator[int]:
    """Listen on a free port and answer everything with the bytes; with none, never."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer:
            writer.write(answer)
            writer.close()
        else:
            await reader.read()
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_port_zero_picks_a_free_port(serve) -> None:
    """Two bridges get two ports."""
    one, two = await serve(), await serve(file="other.db")
    assert one.port != two.port
    assert one.url == f"http://127.0.0.1:{one.port}"


async def test_a_port_held_by_another_bridge_is_refused_with_its_name(server: RunningServer, serve) -> None:
    """The error says whose bridge it is, names the port, and how to go on."""
    with pytest.raises(PortTakenError) as caught:
        await serve(port=server.port, file="other.db")
    error = caught.value
    assert f"port {server.port} " in error.message
    assert f"another bridge (pid {os.getpid()}, workspace {server.core.workspace.id})" in error.message
    assert "--port" in error.message
    assert error.details == {
        "port": server.port,
        "pid": os.getpid(),
        "workspace": server.core.workspace.id,
        "epoch": server.core.recorder.epoch,
    }


PROMETHEUS = b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\nConnection: close\r\n\r\nPrometheus Server is Ready.\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PROMETHEUS, "Prometheus"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "another program"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "another program"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "another program"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 500_000, "another program"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "another program"),
    ],
    ids=["prometheus", "an object", "null", "404", "endless", "no HTTP"],
)
async def test_a_port_held_by_a_stranger_is_refused(serve, answer: bytes, said: str) -> None:
    """Prometheus uses 9090 too."""
    async with stranger(answer) as port:
        with pytest.raises(PortTakenError) as caught:
            await serve(port=port)
    assert said in caught.value.message
    assert str(port) in caught.value.message
    assert "--port" in caught.value.message


async def test_a_stranger_that_says_nothing_is_not_waited_for(serve) -> None:
    """A second, and it counts as one."""
    async with stranger(b"") as port:
        began = time.monotonic()
        with pytest.raises(PortTakenError):
            await serve(port=port)
        assert time.monotonic() - began < 5


async def test_an_address_of_another_machine_is_an_error_that_names_the_flag(serve) -> None:
    """192.0.2.1 is nobody's (RFC 5737)."""
    with pytest.raises(InvalidArgumentError) as caught:
        await serve(host="192.0.2.1")
    assert caught.value.field == "--host"


async def test_a_defect_answers_with_an_id_that_the_log_holds(serve, caplog: pytest.LogCaptureFixture) -> None:
    """H4: INTERNAL gives nothing away."""

    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError("canary-4711")

    server = await serve(routes=[web.get("/broken", broken)])
    async with server.http.get("/broken") as response:
        text = await response.text()
        problem = await response.json(content_type=None)
    assert (response.status, problem["code"]) == (500, "INTERNAL")
    assert "canary" not in text
    assert problem["errorId"] in caplog.text
    assert "canary-4711" in caplog.text


async def test_a_connection_that_sends_no_headers_is_closed(serve) -> None:
    """Slow headers hold a connection for a bounded time only."""
    server = await serve(header_timeout=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: loc")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_malformed_http_is_400_and_fills_no_log(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    """It is aiohttp that answers."""
    assert (await raw(server.port, b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 400
    assert (await raw(server.port, b"NONSENSE\r\n\r\n")).status == 400
    assert (await raw(server.port, request("GET", "/" + "a" * 9_000))).status == 400
    assert (await raw(server.port, request("GET", "/", "X: " + "a" * 9_000))).status == 400
    assert (await raw(server.port, request("GET", "/", *[f"X{n}: 1" for n in range(200)]))).status == 400
    assert not caplog.records
    assert (await server.get("/health"))["status"] == "ok"


async def test_who_asks_to_go_on_and_leaves_fills_no_log(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    """`Expect: 100-continue` and the end of the connection in one go: there is nobody to answer to."""
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.setblocking(False)
        await loop.sock_sendall(peer, request("GET", "/nothing", host=f"127.0.0.1:{server.port}"))
        assert b" 404 " in await loop.sock_recv(peer, 1 << 16)
        peer.send(request("GET", "/health", "Expect: 100-continue", host=f"127.0.0.1:{server.port}"))
        peer.shutdown(socket.SHUT_WR)  # the loop, which is ours, sees both at once
        async with asyncio.timeout(DEADLINE):
            while await loop.sock_recv(peer, 1 << 16):
                pass
    await server.get("/health")
    assert not [record for record in caplog.records if record.exc_info]


async def test_shutdown_is_bounded_with_a_stalled_body_and_an_idle_connection(serve) -> None:
    """C5: three seconds in all."""
    async with contextlib.AsyncExitStack() as stack:
        server = await serve(stack=stack)
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", server.port)
        idle.write(request("GET", "/health", host=f"localhost:{server.port}"))
        await read_answer(idle_reader)
        _, stalled = await asyncio.open_connection("127.0.0.1", server.port)
        headers = ("Content-Type: application/json", "Content-Length: 100")
        stalled.write(request("POST", "/api/tools/task_list", *headers, host=f"localhost:{server.port}"))
        await until(lambda: server.clock.sleeping(10.0), "the server reading the body")
        began = time.monotonic()
    assert time.monotonic() - began < 3
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    idle.close()
    stalled.close()


async def test_a_pipeline_of_requests_is_answered_in_order(server: RunningServer) -> None:
    """HTTP/1.1 clients may not wait for answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    host = f"localhost:{server.port}"
    writer.write(b"".join(request("GET", f"/nothing/{n}", host=host) for n in range(50)))
    answers = [(await read_answer(reader)).json()["message"] for _ in range(50)]
    writer.close()
    assert answers == [f"Route GET:/nothing/{n} not found" for n in range(50)]


async def test_an_ipv6_address_goes_in_brackets(serve) -> None:
    """In the URL, as every client wants it."""
    try:
        server = await serve(host="::1")
    except InvalidArgumentError:
        pytest.skip("this machine has no IPv6")
    assert server.url == f"http://[::1]:{server.port}"
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/health") as response:
        assert response.status == 200
