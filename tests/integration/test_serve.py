"""The process `serve`: how it starts, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import requests

from tests.helpers.processes import bridge, run, running
from tests.helpers.waiting import DEADLINE


def health(url: str) -> dict[str, object]:
    """Ask the bridge how it is."""
    answer = requests.get(f"{url}/health", timeout=10)
    answer.raise_for_status()
    return dict(answer.json())


def test_it_says_where_it_is_and_how_to_stop_it(tmp_path: Path) -> None:
    """The start block names url, WebSocket, workspace, database, SQLite and the way out, on standard error."""
    with running(tmp_path, "serve", "--port", "0", "--db", "shop/tasks.db") as process:
        assert "Task Copilot Bridge" in process.err.next()
        block = dict(process.err.next().split(maxsplit=1) for _ in range(6))
        assert block["workspace"] == "shop"
        assert block["database"] == str(tmp_path / "shop" / "tasks.db")
        assert block["sqlite"].startswith("3.")
        assert block["websocket"] == block["http"].replace("http", "ws") + "/ws"
        assert str(process.pid) in block["stop"]
        assert health(block["http"])["workspace"] == "shop"
        process.stop()
        assert process.out.text() == ""


def test_programs_get_one_line(tmp_path: Path) -> None:
    """With --json: one line on standard output, when it answers; port 0 picks a free one."""
    with bridge(tmp_path) as (process, ready):
        assert ready["pid"] == process.pid
        assert health(ready["url"])["pid"] == process.pid
        assert health(ready["url"])["epoch"] == ready["epoch"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(tmp_path: Path, number: signal.Signals) -> None:
    """It stops in good order: exit 0, nothing left in the WAL."""
    with bridge(tmp_path, "--db", "tasks.db") as (process, ready):
        health(ready["url"])
        code, seconds = process.stop(number)
        assert code == 0
        assert seconds < 3
        assert "Traceback" not in process.err.text()
    wal = tmp_path / "tasks.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0


async def test_open_and_stuck_sockets_do_not_hold_it_up(tmp_path: Path) -> None:
    """Promise C5: clients that read get 1001, one that reads nothing is cut off, and it is over within 3 s."""
    with bridge(tmp_path) as (process, ready):
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{ready['url']}/ws") as reader:
            with stuck_client(ready["url"]):
                stopped = asyncio.create_task(asyncio.to_thread(process.stop))
                assert (await reader.receive()).type is aiohttp.WSMsgType.CLOSE
                assert reader.close_code == aiohttp.WSCloseCode.GOING_AWAY
                code, seconds = await stopped
        assert code == 0
        assert seconds < 3


@contextlib.contextmanager
def stuck_client(url: str) -> Iterator[socket.socket]:
    """Open a WebSocket that never reads and never closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b"101" in client.recv(4096)
        yield client


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    with bridge(tmp_path) as (process, ready), stuck_client(ready["url"]):
        process.popen.send_signal(signal.SIGINT)
        process.err.until(lambda line: "stopping" in line)
        code, seconds = process.stop(signal.SIGINT)
        assert code == 128 + signal.SIGINT
        assert seconds < 1


def test_a_signal_during_start_up_is_heard(tmp_path: Path) -> None:
    """SIGINT while the database is being opened: it ends by itself, and without a traceback."""
    lock = tmp_path / "tasks.db.lock"
    with running(tmp_path, "serve", "--port", "0", "--db", "tasks.db") as process:
        deadline = time.monotonic() + DEADLINE
        while not lock.exists():
            assert time.monotonic() < deadline
        code, seconds = process.stop(signal.SIGINT)
        assert code == 0
        assert seconds < 3
        assert "Traceback" not in process.err.text()


def test_a_port_that_another_bridge_holds(tmp_path: Path) -> None:
    """It says by whom: pid and workspace; exit 1."""
    with bridge(tmp_path, "--db", "shop/tasks.db") as (holder, ready):
        port = ready["url"].rpartition(":")[2]
        done = run(tmp_path, "serve", "--port", port, "--db", "other.db")
        assert done.returncode == 1
        assert f"pid {holder.pid}" in done.stderr
        assert "workspace shop" in done.stderr
        assert done.stdout == ""
        told = json.loads(run(tmp_path, "serve", "--port", port, "--json").stderr)
        assert told.items() >= {"code": "PORT_TAKEN", "pid": holder.pid, "workspace": "shop"}.items()


def test_a_port_that_a_stranger_holds(tmp_path: Path) -> None:
    """A web server that is no bridge is not mistaken for one; exit 1."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            done = run(tmp_path, "serve", "--port", str(server.server_port))
        finally:
            server.shutdown()
    assert done.returncode == 1
    assert "another program" in done.stderr
    assert "--port" in done.stderr


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def test_an_address_that_is_not_ours_is_a_usage_error(tmp_path: Path) -> None:
    """--host that no interface has: exit 2, naming the option."""
    done = run(tmp_path, "serve", "--port", "0", "--host", "192.0.2.1", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["field"] == "--host"


def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A file that is no database is not opened, not changed, and named in the error."""
    file = tmp_path / "tasks.db"
    file.write_bytes(b"not a database at all" * 500)
    before = file.read_bytes()
    done = run(tmp_path, "serve", "--port", "0", "--db", str(file), "--json")
    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "STORE_CORRUPT"
    assert file.read_bytes() == before


def test_every_setting_is_an_option_and_a_variable(tmp_path: Path) -> None:
    """A flag wins over the variable; the help shows both."""
    shown = run(tmp_path, "serve", "--help").stdout
    assert "--max-outstanding-events" in shown
    assert "TASKCOPILOT_PING_INTERVAL" in shown
    assert "HTTP_API_PORT" in shown
    with bridge(tmp_path, "--workspace", "flag", WORKSPACE_ID="variable") as (_, ready):
        assert ready["workspace"] == "flag"
    with bridge(tmp_path, WORKSPACE_ID="variable") as (_, ready):
        assert ready["workspace"] == "variable"
