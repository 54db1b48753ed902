"""Many processes on one workspace: agents with an MCP server each, commands, and one of them holding the port."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from task_copilot_client import TaskCopilotClient
from tests.helpers.processes import Running, run, running
from tests.helpers.waiting import DEADLINE, wait_until

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Agent:
    """A process with an MCP server on its standard input and output. For one thread."""

    def __init__(self, process: Running) -> None:
        self.process = process
        self._ids = itertools.count(1)
        self._ask("initialize", HELLO)
        process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def create(self, count: int) -> None:
        """Create tasks, one after the other."""
        for _ in range(count):
            answer = self._ask("tools/call", {"name": "task_create", "arguments": {"title": str(self.process.pid)}})
            assert not answer["result"].get("isError"), answer

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.process.send({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters})
        return dict(json.loads(self.process.out.next()))


class Heard:
    """The tasks that the client was told of, in the order of its callbacks, and how old the news was, in seconds."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.delays: list[float] = []

    def event(self, _topic: str, _kind: str, data: Any) -> None:
        self.delays.append(time.time() - datetime.fromisoformat(data["createdAt"]).timestamp())
        self.tasks.append(data["taskId"])


def test_all_events_of_all_processes_in_order_whoever_holds_the_port(tmp_path: Path, size, say) -> None:
    """D1, D4: each once and in the order of the log; kill -9 of the holder costs two seconds (ten times tolerated)."""
    count, each = size((3, 20), (5, 100))
    heard = Heard()
    with agents(tmp_path, count) as (url, crew):
        client = TaskCopilotClient(url, max_backoff=0.5, probe_interval=0.2)
        with client:
            client.subscribe(["task:*"], heard.event)
            _work(tmp_path, crew, each)
            total = count * each + 1
            wait_until(lambda: len(heard.tasks) >= total, "the last event")
            delay = statistics.median(heard.delays)
            victim = next(agent for agent in crew if agent.process.pid == _holder(url))
            victim.process.popen.kill()
            victim.process.wait()
            died = time.monotonic()
            crew.remove(victim)
            working = threading.Thread(target=_work, args=(tmp_path, crew, each))
            working.start()
            heir = _holder(url)
            took = time.monotonic() - died
            working.join()
            total += (count - 1) * each + 1
            wait_until(lambda: len(heard.tasks) >= total, "the last event after the takeover")
        say(
            f"{count} processes, {total} events: commit to callback median {delay * 1000:.0f} ms; takeover {took:.2f} s"
        )
        assert heir in [agent.process.pid for agent in crew]
        assert heard.tasks == _log(url)
        assert len(heard.tasks) == total
    assert delay <= 0.5
    assert took < 20


@contextlib.contextmanager
def agents(home: Path, count: int) -> Iterator[tuple[str, list[Agent]]]:
    """Run so many MCP processes on one database and one port; one of them serves it when the block begins."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = ("mcp", "--db", "tasks.db", "--port", port)
    with contextlib.ExitStack() as stack:
        crew = [Agent(stack.enter_context(running(home, *options))) for _ in range(count)]
        url = f"http://127.0.0.1:{port}"
        _holder(url)
        yield url, crew


def _work(home: Path, crew: list[Agent], each: int) -> None:
    """Let all of them create tasks at the same time, and a command one beside them."""
    threads = [threading.Thread(target=agent.create, args=(each,)) for agent in crew]
    for thread in threads:
        thread.start()
    done = run(home, "task", "create", "by a command", "--db", "tasks.db")
    for thread in threads:
        thread.join()
    assert done.returncode == 0, done.stderr


def _holder(url: str) -> int:
    """Return the pid of the process that answers there, once one does."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return int(requests.get(f"{url}/health", timeout=5).json()["pid"])
        except requests.ConnectionError:
            assert time.monotonic() < deadline


def _log(url: str) -> list[str]:
    """Return the tasks in the order of the log."""
    tasks: list[str] = []
    page = {"events": [None], "next": "0"}
    while page["events"]:
        page = requests.get(f"{url}/api/events", params={"since": page["next"], "limit": 1000}, timeout=10).json()
        tasks += [event["payload"]["data"]["taskId"] for event in page["events"]]
    return tasks


def test_a_port_that_a_stranger_holds_leaves_the_database_as_it_was(tmp_path: Path, say) -> None:
    """A bridge that cannot listen ends at once, names the port, and has changed nothing."""
    assert run(tmp_path, "task", "create", "before", "--db", "tasks.db").returncode == 0
    before = run(tmp_path, "events", "--db", "tasks.db", "--json").stdout
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = str(stranger.getsockname()[1])
        began = time.monotonic()
        done = run(tmp_path, "serve", "--port", port, "--db", "tasks.db")
        took = time.monotonic() - began
    say(f"gave up {took:.2f} s after it was started")
    assert done.returncode == 1
    assert port in done.stderr
    assert took < 20
    assert run(tmp_path, "events", "--db", "tasks.db", "--json").stdout == before
