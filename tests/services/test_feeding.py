"""How events of the services come in, and where else they are seen: HTTP, tools, the main bus, other processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from taskcopilot.clock import SystemClock
from taskcopilot.errors import InvalidArgumentError, PortTakenError
from taskcopilot.rooms.keeper import LOOK
from taskcopilot.services.mahavishnu import Mahavishnu
from taskcopilot.web.services.ports import service_ports
from tests.helpers.dialects import House, RoomClient
from tests.helpers.processes import run, running
from tests.helpers.server import running_server
from tests.helpers.waiting import DEADLINE, until
from tests.services.conftest import OpenHouse

STARTED = {"event": "workflow.started", "data": {"workflow_id": "wf"}}


async def status_when(house: House, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask how mahavishnu is until the condition holds."""
    async with asyncio.timeout(DEADLINE):
        while True:
            status = (await house.server.call("service_status", service="mahavishnu"))["services"][0]
            if condition(status):
                return dict(status)


async def test_an_event_is_published_over_http(house: House) -> None:
    """POST /api/services/{service}/events answers its number, its topic and its rooms; 201."""
    client = await house.client("mahavishnu")
    await client.subscribe("workflow:wf")
    answer = await house.server.post("/api/services/mahavishnu/events", STARTED, expect=201)
    assert answer == {
        "service": "mahavishnu",
        "event": "workflow.started",
        "seq": 1,
        "topic": "workflow:wf",
        "rooms": ["workflow:wf", "global"],
    }
    assert [heard["event"] for heard in await client.sync()] == ["workflow.started"]


@pytest.mark.parametrize(
    ("service", "body", "status", "field"),
    [
        ("nobody", STARTED, 404, "service"),
        ("mahavishnu", {"event": "workflow.lost", "data": {}}, 404, "event"),
        ("mahavishnu", {"event": 'code."x', "data": {}}, 400, "event"),
        ("mahavishnu", {"event": "workflow.started", "data": {"workflow_id": "a\u2028b"}}, 400, "rooms"),
        ("mahavishnu", {"event": "workflow.started", "data": {}}, 400, "workflow_id"),
        ("mahavishnu", {"event": "workflow.started", "data": {"workflow_id": "a\nb"}}, 400, "workflow_id"),
        ("mahavishnu", {"event": "workflow.started"}, 400, "data"),
        ("mahavishnu", {"event": "workflow.failed", "data": {"workflow_id": "1", "error": "e", "x": 1}}, 400, "x"),
    ],
)
async def test_a_bad_event_is_refused(
    house: House, service: str, body: dict[str, Any], status: int, field: str
) -> None:
    """The problem names the field; nothing is logged."""
    problem = await house.server.post(f"/api/services/{service}/events", body, expect=status)
    assert problem["field"] == field
    assert (await house.server.get("/api/events"))["head"] == 0


async def test_the_main_bus_has_the_events_too(house: House) -> None:
    """One log: `/ws` and GET /api/events see them under their topic, with the service in front of their type."""
    listener = await house.server.http.ws_connect(house.server.ws_url)
    house.stack.push_async_callback(listener.close)
    await listener.send_json({"type": "subscribe", "payload": {"topics": ["workflow:*"]}})
    assert (await listener.receive_json())["type"] == "subscribed"
    await house.server.call("service_publish", service="mahavishnu", **STARTED)
    payload = (await asyncio.wait_for(listener.receive_json(), DEADLINE))["payload"]
    assert (payload["topic"], payload["eventType"]) == ("workflow:wf", "mahavishnu.workflow.started")
    assert payload["data"]["workflow_id"] == "wf"
    page = await house.server.get("/api/events", topics="workflow:wf")
    assert [event["payload"] for event in page["events"]] == [payload]


async def test_a_room_is_no_topic(house: House) -> None:
    """Who listens to topics gets what is about them, and nothing for a room that happens to be named alike."""
    listener = await house.server.http.ws_connect(house.server.ws_url)
    house.stack.push_async_callback(listener.close)
    await listener.send_json({"type": "subscribe", "payload": {"topics": ["pool:*"]}})
    await listener.receive_json()
    await Mahavishnu(house.publisher).broadcast_worker_status_changed("w", "busy", "p")
    await listener.send_json({"type": "ping", "id": 1})
    assert (await listener.receive_json())["type"] == "pong"


async def test_the_tools_say_how_the_services_are(house: House) -> None:
    """service_status and service_rooms: health, address, connections and rooms; a second old at most."""
    client = await house.client("mahavishnu")
    await client.subscribe("workflow:wf", "global")
    await (await house.client("mahavishnu")).subscribe("global")

    await until(lambda: house.clock.sleeping(LOOK), "the keeper waits")
    house.clock.advance(1)
    status = await status_when(house, lambda status: status["rooms"] == 2)
    assert (status["status"], status["connections"]) == ("healthy", 2)
    assert house.addresses["mahavishnu"] == f"ws://{status['host']}:{status['port']}"
    rooms = await house.server.call("service_rooms", service="mahavishnu")
    assert rooms == {"service": "mahavishnu", "rooms": {"workflow:wf": 1, "global": 2}, "totalRooms": 2}
    everybody = await house.server.get("/api/services")
    assert {"mahavishnu", "crackerjack"} <= {of["service"] for of in everybody["services"]}


async def test_a_process_that_died_does_not_count_as_serving(open_services: OpenHouse) -> None:
    """What it said of itself is believed for three minutes; one that stops in order takes it back."""
    house = await open_services()
    core = house.server.core

    await status_when(house, lambda status: status["status"] == "healthy")
    await core.recorder.record(lambda tx: tx.execute("UPDATE service_presence SET updated_at = '2026'"))
    await status_when(house, lambda status: status["status"] == "stopped")


async def test_events_of_another_process_come_too(tmp_path: Path) -> None:
    """What a tool publishes in another process of the workspace reaches the rooms here."""
    options = {"services": "all", "service_addresses": "mahavishnu=0,crackerjack=0", "clock": SystemClock()}
    async with running_server(tmp_path, follow=True, **options) as here, running_server(tmp_path) as elsewhere:
        inner = await here.http.ws_connect(f"{here.ws_url}/mahavishnu")
        client = RoomClient(inner)
        await client.hear()
        await client.subscribe("workflow:wf")
        await elsewhere.call("service_publish", service="mahavishnu", **STARTED)
        assert (await client.hear())["room"] == "workflow:wf"
        await inner.close()


async def test_a_busy_port_names_its_service_and_stops_nobody_else(
    open_services: OpenHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are served, and that one is still on the main port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house = await open_services(
            service_addresses=f"mahavishnu={port},crackerjack=0", services="mahavishnu,crackerjack"
        )
        assert list(house.addresses) == ["crackerjack"]
        assert any("mahavishnu" in line and str(port) in line for line in caplog.messages)
        await house.client("crackerjack")
        await (await house.connect_to(f"{house.server.ws_url}/mahavishnu")).hear()


async def test_a_busy_port_stops_the_start_where_that_is_asked_for(tmp_path: Path) -> None:
    """With services_busy=refuse; the error names the service."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = {"services": "mahavishnu", "service_addresses": f"mahavishnu=127.0.0.1:{taken.getsockname()[1]}"}
        async with running_server(tmp_path, services_busy="refuse", **options) as server:
            with pytest.raises(PortTakenError, match="mahavishnu"):
                async with service_ports(server.core, server.app):
                    pass


@pytest.mark.parametrize(
    "options", [{"services": "mahavishnu,nobody"}, {"services": "all", "service_addresses": "nobody=1"}]
)
async def test_a_service_that_there_is_not_is_an_error(tmp_path: Path, options: dict[str, str]) -> None:
    """It lists those that there are."""
    async with running_server(tmp_path, **options) as server:
        with pytest.raises(InvalidArgumentError, match=r"nobody.*mahavishnu"):
            async with service_ports(server.core, server.app):
                pass


def test_the_process_opens_the_services_that_it_is_told_to(tmp_path: Path) -> None:
    """`serve --services`: the line for programs tells where each one is."""
    flags = ("--services", "mahavishnu", "--service-addresses", "mahavishnu=0", "--port", "0", "--json")
    with running(tmp_path, "serve", "--db", "tasks.db", *flags) as process:
        ready = process.out.next()
        assert '"services":{"mahavishnu":"ws://127.0.0.1:' in ready
        code, seconds = process.stop()
        assert (code, seconds < 3) == (0, True)


def test_watch_sees_the_services_too(tmp_path: Path) -> None:
    """`taskcopilot watch 'workflow:*'` prints what a command publishes; a topic of no service is refused as ever."""
    data = ("--data", '{"workflow_id": "wf", "adapter": "local"}')
    published = run(tmp_path, "service", "publish", "mahavishnu", "workflow.started", *data, "--json")
    assert orjson.loads(published.stdout)["rooms"] == ["workflow:wf", "global"], published.stderr
    with running(tmp_path, "watch", "workflow:*", "--since", "0", "--json") as watch:
        payload = orjson.loads(watch.out.next())["payload"]
        assert (payload["topic"], payload["eventType"]) == ("workflow:wf", "mahavishnu.workflow.started")
    assert run(tmp_path, "service", "status", "--json").returncode == 0
    assert "nobody" in run(tmp_path, "service", "rooms", "nobody").stderr


async def test_a_stuck_client_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """C5: whoever reads nothing, on the port of a service too, is cut off, and the process is gone within 3 s."""
    flags = ("--services", "mahavishnu", "--service-addresses", "mahavishnu=0", "--port", "0", "--json")
    with running(tmp_path, "serve", "--db", "tasks.db", *flags) as process:
        ready = orjson.loads(process.out.next())
        port = int(ready["services"]["mahavishnu"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stuck:
            stuck.sendall(
                f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b"101" in stuck.recv(4096)
            code, seconds = await asyncio.to_thread(process.stop)
        assert (code, seconds < 3) == (0, True)


async def test_old_state_is_forgotten_beyond_what_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of a kind are bounded: those that changed last stay."""
    monkeypatch.setattr("taskcopilot.services.publishing.KEEP", 10)
    mahavishnu = Mahavishnu(house.publisher)
    for number in range(64):
        await mahavishnu.broadcast_workflow_started(str(number), {})
    client = await house.client("mahavishnu")
    assert (await client.request("get_workflow_status", workflow_id="63"))["type"] == "response"
    assert (await client.request("get_workflow_status", workflow_id="53"))["error_code"] == "NOT_FOUND"
    assert (await client.request("get_workflow_status", workflow_id="54"))["type"] == "response"
