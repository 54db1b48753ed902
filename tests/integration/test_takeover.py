"""Several processes on one workspace: when the one that holds the port dies, another takes over."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import requests

from task_copilot_client import TaskCopilotClient
from tests.helpers.processes import Running, running
from tests.helpers.waiting import DEADLINE

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def test_another_process_takes_the_port_and_nothing_is_lost(tmp_path: Path, capsys) -> None:
    """kill -9 of the holder: clients resume from their cursors (2 s is the goal; ten times that is tolerated here)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, seen = f"http://127.0.0.1:{port}", []
    options = ("mcp", "--db", "tasks.db", "--port", str(port))
    with running(tmp_path, *options) as first:
        holder = wait_for_holder(url)
        assert holder == first.pid
        with (
            running(tmp_path, *options) as second,
            TaskCopilotClient(url, max_backoff=0.5, probe_interval=0.2) as client,
        ):
            client.subscribe(["task:*"], lambda _topic, _kind, data: seen.append(data["taskTitle"]))
            create(second, 0)
            wait(lambda: seen == ["0"])
            first.popen.kill()
            first.wait()
            died = time.monotonic()
            for number in range(1, 6):
                create(second, number)
            assert wait_for_holder(url) == second.pid
            took = time.monotonic() - died
            wait(lambda: len(seen) == 6)
            assert seen == [str(number) for number in range(6)]
            with capsys.disabled():
                print(f"\ntakeover of the port: {took:.2f} s")  # noqa: T201
            assert took < 20


def create(process: Running, number: int) -> None:
    """Create a task through the process's MCP tools."""
    if number == 0:
        process.send({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": HELLO})
        process.out.next()
        process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    arguments = {"name": "task_create", "arguments": {"title": str(number)}}
    process.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": arguments})
    process.out.next()


def wait_for_holder(url: str) -> int:
    """Return the pid of the process that answers there, once one does."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return int(requests.get(f"{url}/health", timeout=5).json()["pid"])
        except requests.ConnectionError:
            assert time.monotonic() < deadline


def wait(condition) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
