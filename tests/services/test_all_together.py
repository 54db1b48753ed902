"""Every service at once with the Task Copilot bridge: one process, all the ports, and all who follow it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from task_copilot_client import TaskCopilotClient
from taskcopilot.services.table import SERVICES
from tests.helpers.dialects import RoomClient
from tests.helpers.processes import Running, running
from tests.helpers.waiting import DEADLINE, until

SKILLS = "session-buddy-realtime"
TASKS = 5

EVENTS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "session-buddy": ("session.closed", {"session_id": "s"}, "session:s", "session:s"),
    "mahavishnu": (
        "worker.status_changed",
        {"pool_id": "p", "worker_id": "w", "status": "busy"},
        "worker:w",
        "worker:w",
    ),
    "akosha": (
        "pattern.detected",
        {"pattern_id": "p", "pattern_type": "perf", "description": "slow", "confidence": 1},
        "patterns:perf",
        "patterns:perf",
    ),
    "crackerjack": (
        "coverage.updated",
        {"project": "shop", "line_coverage": 1, "branch_coverage": 2, "path_coverage": 3},
        "coverage",
        "coverage:shop",
    ),
    "dhruva": ("adapter.stored", {"adapter_id": "redis"}, "adapter:redis", "adapter:redis"),
    "excalidraw": ("diagram.updated", {"diagram_id": "d", "version": 1}, "diagram:d", "diagram:d"),
    "fastblocks": ("ui.updated", {"component_id": "c"}, "ui:c", "ui:c"),
}
"""Of each service an event, its data, the room in which it is listened to, and its topic on the main bus."""


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[tuple[Running, dict[str, Any]]]:
    """`taskcopilot serve --services all` on free ports, and its line for programs."""
    addresses = ",".join(f"{service.name}=127.0.0.1:0" for service in SERVICES)
    flags = ("serve", "--services", "all", "--service-addresses", addresses, "--port", "0", "--json")
    with running(tmp_path, *flags) as process:
        yield process, json.loads(process.out.next())


def test_the_table_of_the_test_is_complete() -> None:
    """Every service that there is takes part; the metrics of skills are no events."""
    assert {*EVENTS, SKILLS} == {service.name for service in SERVICES}


async def test_all_of_them_at_once(tmp_path: Path, bridge: tuple[Running, dict[str, Any]]) -> None:
    """Each is heard on its own port and at /ws/{service}, by `watch`, and the bridge's tasks arrive meanwhile."""
    process, ready = bridge
    assert set(ready["services"]) == {service.name for service in SERVICES}
    heard: list[tuple[str, str]] = []
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(ready["url"]))
        copilot = await asyncio.to_thread(TaskCopilotClient, ready["url"])
        await asyncio.to_thread(copilot.connect)
        stack.push_async_callback(asyncio.to_thread, copilot.disconnect)
        await asyncio.to_thread(copilot.subscribe, ["*"], lambda topic, kind, _: heard.append((topic, kind)))
        watch = stack.enter_context(running(tmp_path, "watch", "--since", "0", "--json"))
        clients = [await stack.enter_async_context(listener(http, ready, name)) for name in EVENTS]
        skills = [await stack.enter_async_context(skill_listener(http, url)) for url in places(ready, SKILLS)]
        await asyncio.gather(*(publish(http, name) for name in EVENTS), *(work(http, n) for n in range(TASKS)))
        for name, pair in zip(EVENTS, clients, strict=True):
            for client in pair:
                await check(client, name)
        for socket in skills:
            assert (await receive(socket, "metrics_update"))["data"]["top_skills"][0]["skill_name"] == "pytest-run"
        wanted = sorted([*((topic, f"{name}.{event}") for name, (event, _, _, topic) in EVENTS.items())])
        await until(lambda: len(heard) >= len(wanted) + TASKS)
        assert sorted(each for each in heard if not each[1].startswith("task.")) == wanted
        assert [kind for _, kind in heard].count("task.created") == TASKS
        printed = [json.loads(await asyncio.to_thread(watch.out.next)) for _ in heard]
        assert [line["seq"] for line in printed] == list(range(1, len(heard) + 1))
        assert [(line["payload"]["topic"], line["payload"]["eventType"]) for line in printed] == heard
    code, _ = await asyncio.to_thread(process.stop)
    assert (code, process.err.text().count("Traceback")) == (0, 0)


def places(ready: dict[str, Any], service: str) -> tuple[str, str]:
    """Return where a service is: on its own port, and on the main one."""
    return ready["services"][service], ready["url"].replace("http", "ws", 1) + f"/ws/{service}"


@contextlib.asynccontextmanager
async def listener(http: aiohttp.ClientSession, ready: dict[str, Any], service: str) -> Any:
    """Two clients of a service in the room of its event, one at each of its places."""
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for url in places(ready, service):
            client = RoomClient(await stack.enter_async_context(http.ws_connect(url)))
            assert (await client.hear())["data"]["server"] == service
            await client.subscribe(EVENTS[service][2])
            clients.append(client)
        yield clients


@contextlib.asynccontextmanager
async def skill_listener(http: aiohttp.ClientSession, url: str) -> Any:
    """A client of the metrics of skills, of one skill."""
    async with http.ws_connect(url) as socket:
        assert (await receive(socket, "connected"))["type"] == "connected"
        await socket.send_json({"type": "subscribe", "skill": "pytest-run"})
        await receive(socket, "subscription_confirmed")
        yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Return the next message of a type that has something in it."""
    async with asyncio.timeout(DEADLINE):
        while True:
            message: dict[str, Any] = orjson.loads((await socket.receive()).data)
            if message["type"] == kind and (kind != "metrics_update" or message["data"]["top_skills"]):
                return message


async def publish(http: aiohttp.ClientSession, service: str) -> None:
    """Publish the service's event over HTTP."""
    event, data, _, _ = EVENTS[service]
    async with http.post(f"/api/services/{service}/events", json={"event": event, "data": data}) as answer:
        assert answer.status == 201, await answer.text()


async def work(http: aiohttp.ClientSession, number: int) -> None:
    """Create a task, and say how the skill that was used went."""
    for tool, arguments in (
        ("task_create", {"title": str(number)}),
        ("skill_record", {"skillName": "pytest-run", "completed": True}),
    ):
        async with http.post(f"/api/tools/{tool}", json=arguments) as answer:
            assert answer.status == 200, await answer.text()


async def check(client: RoomClient, service: str) -> None:
    """The one event of its service is there, and nothing else."""
    event, data, room, _ = EVENTS[service]
    message = await client.hear()
    assert (message["event"], message["room"]) == (event, room)
    assert data.items() <= message["data"].items()
    assert await client.sync() == []
