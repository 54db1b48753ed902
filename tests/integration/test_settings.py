"""What settings do that no other test asks for, by the addresses that are really used."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.web.keys import CROWD
from taskcopilot.web.services.ports import service_ports
from tests.helpers.processes import bridge, run
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until
from tests.unit.test_upkeep import kept

OTHER = "127.0.0.2"
"""Another address of this machine, on Linux without being set up."""


@pytest.fixture
async def neighbour() -> aiohttp.ClientSession:
    """A session whose connections come from the other address."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(local_addr=(OTHER, 0), force_close=True)
    ) as session:
        yield session


async def status_of(server: RunningServer, session: aiohttp.ClientSession) -> int:
    async with session.post(f"{server.url}/api/tools/task_list", json={}) as response:
        return response.status


async def test_an_address_that_is_full_keeps_no_other_out(serve, neighbour: aiohttp.ClientSession) -> None:
    """max_connections_per_address: the one too many of one address is 503, the first of another is served."""
    server = await serve(max_connections_per_address=2)
    sockets = [await server.http.ws_connect("/ws") for _ in range(2)]
    async with aiohttp.ClientSession() as third:
        assert await status_of(server, third) == 503
    assert await status_of(server, neighbour) == 200
    for each in sockets:
        await each.send_json({"type": "ping"})
        assert (await each.receive_json(timeout=DEADLINE))["type"] == "pong"
        await each.close()
    await until(lambda: server.app[CROWD].inside == 0)


async def test_an_address_that_asks_too_often_slows_no_other_down(serve, neighbour: aiohttp.ClientSession) -> None:
    """max_write_rate is of one address."""
    server = await serve(max_write_rate=1)
    assert [await status_of(server, server.http) for _ in range(3)] == [200, 429, 429]
    assert await status_of(server, neighbour) == 200


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_durability_is_what_sqlite_is_told(tmp_path: Path, durability: str, synchronous: int) -> None:
    """FULL syncs at every commit, NORMAL at checkpoints."""
    settings = Settings.load({"db": tmp_path / "tasks.db", "durability": durability}, {})
    workspace = await asyncio.to_thread(settings.resolve_workspace)
    async with Core.open(settings, workspace=workspace, follow=False) as core:
        assert await core.recorder.record(lambda tx: tx.value("PRAGMA synchronous")) == synchronous


def test_the_log_has_the_level_and_the_shape_that_were_asked_for(tmp_path: Path) -> None:
    """log_level and log_format: at `error` an end in good order is not worth a line."""
    shapes = {}
    for level in ("info", "error"):
        for shape in ("json", "text"):
            with bridge(tmp_path, "--db", "tasks.db", "--log-level", level, "--log-format", shape) as (process, _):
                process.stop()
                shapes[level, shape] = process.err.text()
    assert "SIGTERM: stopping" in [json.loads(line)["message"] for line in shapes["info", "json"].splitlines()]
    assert "SIGTERM: stopping" in shapes["info", "text"]
    assert "{" not in shapes["info", "text"]
    assert shapes["error", "json"] == shapes["error", "text"] == ""


def test_a_workspace_is_chosen_by_base_and_id(tmp_path: Path) -> None:
    """base and workspace: <base>/<workspace>/tasks.db, for `serve` as for every command."""
    with bridge(tmp_path, "--base", str(tmp_path / "all"), "--workspace", "shop") as (_, ready):
        assert (ready["workspace"], ready["database"]) == ("shop", str(tmp_path / "all" / "shop" / "tasks.db"))
    variables = {"TASKCOPILOT_BASE": str(tmp_path / "all"), "TASKCOPILOT_WORKSPACE": "shop"}
    assert run(tmp_path, "doctor", **variables).returncode == 0
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["shop"]


async def test_services_listen_where_they_are_told_and_that_is_a_name_of_theirs(serve) -> None:
    """services_host, and service_addresses for single ones: whoever says an address need not allow it again (C2)."""
    server = await serve(services="dhruva,akosha", services_host=OTHER, service_addresses="dhruva=0,akosha=127.0.0.1:0")
    async with service_ports(server.core, server.app) as addresses:
        assert addresses["dhruva"].startswith(f"ws://{OTHER}:")
        assert addresses["akosha"].startswith("ws://127.0.0.1:")
        for url in addresses.values():
            socket = await server.http.ws_connect(url)
            assert (await socket.receive_json(timeout=DEADLINE))["event"] == "session.created"
            await socket.close()


async def test_expired_checkpoints_are_looked_for_at_the_interval(tmp_path: Path) -> None:
    """sweep_interval, in seconds."""
    async with kept(tmp_path, sweep_interval=7) as (_, clock):
        assert clock.sleeping(7.0) == 1
