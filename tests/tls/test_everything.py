"""What works in plain HTTP works over TLS: requests, sockets, streams, services, and the bounds of slow readers."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import aiohttp
import pytest

from taskcopilot.web.services.ports import service_ports
from tests.helpers.memory import MIB, open_sockets, private_memory
from tests.helpers.peer import Peer
from tests.helpers.processes import bridge
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, wait_until
from tests.helpers.writer import writing


@pytest.fixture
async def secure(serve) -> RunningServer:
    """A bridge with a certificate of its own."""
    return await serve(tls_self_signed=True)


def trusting(ready: dict[str, str]) -> ssl.SSLContext:
    """Return what a client needs that was given the file which the bridge names."""
    return ssl.create_default_context(cafile=ready["certificate"])


async def test_a_change_reaches_a_socket_and_a_stream(secure: RunningServer) -> None:
    """D1, H7: and the labels say that it was TLS."""
    assert secure.url.startswith("https://")
    listener = await secure.http.ws_connect("/ws")
    await listener.send_json({"type": "subscribe", "id": 1, "payload": {"topics": ["task:*"]}})
    assert (await listener.receive_json(timeout=DEADLINE))["type"] == "subscribed"
    async with secure.http.get("/api/events/stream") as stream:
        await secure.post("/api/tools/task_create", {"title": "over TLS"})
        assert (await listener.receive_json(timeout=DEADLINE))["payload"]["data"]["taskTitle"] == "over TLS"
        while b"over TLS" not in await stream.content.readline():
            pass
    async with secure.http.get("/metrics") as response:
        metrics = await response.text()
    assert 'websocket_connections_total{server="taskcopilot",tls_mode="wss"} 1.0' in metrics
    await listener.close()


@pytest.mark.parametrize(
    ("scheme", "status"), [("https", 200), ("http", 403), ("ws", 403)], ids=["our page", "plain page", "no page"]
)
async def test_pages_that_came_over_tls_are_ours(secure: RunningServer, scheme: str, status: int) -> None:
    """C2: the same name and port in plain HTTP are somebody else."""
    headers = {"Origin": f"{scheme}://127.0.0.1:{secure.port}"}
    async with secure.http.get("/api/tasks", headers=headers) as response:
        assert response.status == status


async def test_services_speak_tls_on_their_ports_too(serve) -> None:
    """Sockets, health and metrics, with the certificate of the bridge; nothing in plain HTTP."""
    server = await serve(tls_self_signed=True, services="dhruva", service_addresses="dhruva=0")
    async with service_ports(server.core, server.app) as addresses:
        url = addresses["dhruva"]
        assert url.startswith("wss://127.0.0.1:")
        client = await server.http.ws_connect(url)
        assert (await client.receive_json(timeout=DEADLINE))["event"] == "session.created"
        async with server.http.get(f"{url.replace('wss', 'https')}/metrics") as response:
            assert 'websocket_connections_total{server="dhruva",tls_mode="wss"} 1' in await response.text()
        await client.close()
        async with aiohttp.ClientSession() as plain, plain.get(f"{url.replace('wss', 'http')}/health") as response:
            assert (response.status, (await response.json(content_type=None))["code"]) == (400, "TLS_REQUIRED")


def test_a_burst_arrives_whole_and_in_order(tmp_path: Path) -> None:
    """D1: what is joined and written past aiohttp is as whole over TLS; 20,000 events, two readers."""
    events = 20_000
    with (
        bridge(tmp_path, "--db", "tasks.db", "--tls-self-signed") as (_, ready),
        writing(tmp_path / "tasks.db") as writer,
        Peer(ready["url"], tls=trusting(ready)) as one,
        Peer(ready["url"], tls=trusting(ready)) as other,
    ):
        for peer in (one, other):
            peer.subscribe("*")
        for _ in range(events // 500):
            writer.commit(500)
        for peer in (one, other):
            peer.read_to(events)
            assert peer.seqs == list(range(1, events + 1))


def test_a_reader_that_stops_costs_little_and_loses_nothing(tmp_path: Path, say) -> None:
    """D9: it leaves live delivery at a bound, the bridge holds little for it, and then it gets everything."""
    events = 20_000
    options = ("--db", "tasks.db", "--tls-self-signed", "--ping-interval", "600", "--retention-events", str(2 * events))
    with (
        bridge(tmp_path, *options) as (server, ready),
        writing(tmp_path / "tasks.db") as writer,
        Peer(ready["url"], receive_buffer=4096, tls=trusting(ready)) as stopped,
        Peer(ready["url"], tls=trusting(ready)) as pace,
    ):
        stopped.subscribe("*")
        pace.subscribe("*")
        pace.read_to(writer.commit(500))
        before = private_memory(server.pid)
        for _ in range(events // 500 - 1):
            pace.read_to(writer.commit(500))
        grown = private_memory(server.pid) - before
        stopped.read_to(events)
        assert stopped.seqs == list(range(1, events + 1))
    say(f"a stopped reader over TLS: {events} events, the bridge grew by {grown / MIB:.1f} MiB")
    assert grown < 10 * MIB


def test_a_reader_that_stops_for_too_long_is_cut(tmp_path: Path) -> None:
    """C3: over TLS what it holds of the bridge is given back too."""
    options = ("--db", "tasks.db", "--tls-self-signed", "--ping-interval", "0.5")
    with bridge(tmp_path, *options) as (server, ready), writing(tmp_path / "tasks.db") as writer:
        idle = open_sockets(server.pid)
        with Peer(ready["url"], receive_buffer=4096, tls=trusting(ready)) as stopped:
            stopped.subscribe("*")
            writer.commit_many(20_000, 1_000)
            wait_until(lambda: open_sockets(server.pid) <= idle, "the bridge giving the connection back")


def test_it_stops_in_good_order_while_clients_shake_hands(tmp_path: Path) -> None:
    """C5: sockets are closed with 1001, half handshakes cut, within 3 s."""
    with bridge(tmp_path, "--db", "tasks.db", "--tls-self-signed") as (server, ready):
        port = int(ready["url"].rpartition(":")[2])
        with Peer(ready["url"], tls=trusting(ready)) as peer, socket.create_connection(("127.0.0.1", port)) as half:
            peer.subscribe("*")
            half.sendall(b"\x16\x03\x01")
            code, took = server.stop()
            peer.read_to_end()
        assert (code, peer.close_code) == (0, 1001)
        assert took < 30
        assert "Traceback" not in server.err.text()
